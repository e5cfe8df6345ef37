import { assertEquals } from "@std/assert";
import { keepConnected } from "../../../mod.ts";
import { WRONG_OBJECTS, WRONG_TYPES } from "../../support/hostile.ts";
import { ENDPOINT, scriptedLink } from "../../support/scripted_link.ts";
import { thrown } from "../../support/socket_errors.ts";

// deno-lint-ignore no-explicit-any -- values that callers without types pass
type Any = any;

/** Connects nowhere: a call that is wrong must not try. */
const connect = () => {
  throw new Error("it tried to connect");
};

function isRefused(endpoints: Any, session: Any, options: Any, what: string) {
  return thrown(
    () => keepConnected(endpoints, session, options),
    "InvalidInput",
    "keepConnected",
    what,
  );
}

Deno.test("E1: keepConnected() with wrong endpoints is InvalidInput, and says what is wrong", () => {
  for (const [what, value] of WRONG_OBJECTS) {
    if (typeof value === "function") continue;
    isRefused(value, () => {}, { connect }, what);
    isRefused([ENDPOINT, value], () => {}, { connect }, `a list with ${what}`);
  }
  const cases: [unknown, string][] = [
    [[], "the list of endpoints is empty"],
    [
      "db.example:5432",
      'the address is "db.example:5432", not an object { host, port }; parseAddress() makes one of a text',
    ],
    [{ host: "a", port: 0 }, "port is 0, not a whole number from 1 to 65535"],
    [[ENDPOINT, { host: "", port: 1 }], "host is empty, name an address or a host"],
  ];
  for (const [endpoints, reason] of cases) {
    assertEquals(isRefused(endpoints, () => {}, { connect }, reason).reason, reason);
  }
});

Deno.test("E1: keepConnected() with a wrong session is InvalidInput", () => {
  for (const [what, value] of WRONG_OBJECTS) {
    if (typeof value !== "function") isRefused(ENDPOINT, value, { connect }, what);
  }
});

Deno.test("E1: keepConnected() with wrong options is InvalidInput", () => {
  for (const [what, value] of WRONG_TYPES) isRefused(ENDPOINT, () => {}, value, what);
});

const FUNCTIONS = [null, {}, "log", 1, true];
const PAUSES = [-1, NaN, Infinity, "100", null, true, 5n, {}];
const WRONG_OPTIONS: readonly (readonly [name: string, values: readonly unknown[]])[] = [
  ["handshakeTimeout", [0, -1, 0.5, NaN, "1000", null, true, {}]],
  ["stableAfter", [-1, NaN, "1000", null, true, {}]],
  ["attempts", [0, -1, 1.5, NaN, "3", null, true, 5n, {}]],
  ["backoff", [null, 5, "slow", [], true]],
  ["retry", FUNCTIONS],
  ["connect", FUNCTIONS],
  ["onChange", FUNCTIONS],
  ["signal", [null, {}, "abort", 1]],
];

for (const [name, values] of WRONG_OPTIONS) {
  Deno.test(`E1: keepConnected() with a wrong ${name} is InvalidInput`, () => {
    for (const value of values) {
      isRefused(ENDPOINT, () => {}, { connect, [name]: value }, `${name} ${typeof value}`);
    }
  });
}

for (const name of ["first", "factor", "longest"]) {
  Deno.test(`E1: keepConnected() with a wrong backoff.${name} is InvalidInput, and names it`, () => {
    for (const value of [...PAUSES, ...name === "factor" ? [0.9] : []]) {
      const options = { connect, backoff: { [name]: value } };
      const { reason } = isRefused(ENDPOINT, () => {}, options, `${name} ${typeof value}`);
      assertEquals(reason.startsWith(`backoff.${name} is `), true, reason);
    }
  });
}

Deno.test("E1: keepConnected() reads its options once, and a getter that throws is InvalidInput", async () => {
  const options = {
    get retry(): never {
      throw new Error("no");
    },
  };
  isRefused(ENDPOINT, () => {}, options, "a getter");
  const changed = { attempts: 1 };
  await using scripted = scriptedLink(changed);
  changed.attempts = 5;
  (await scripted.nextConnect()).fail("refused");
  await scripted.time.pass(0);
  assertEquals(scripted.finished(), ["refused"]);
});

Deno.test("E8: the endpoint of a session is a frozen copy", async () => {
  const endpoint = { host: "192.0.2.1", port: 7777 };
  await using scripted = scriptedLink({}, endpoint);
  endpoint.port = 1;
  const { context } = await scripted.nextReady();
  assertEquals(context.endpoint, ENDPOINT);
  assertEquals(Object.isFrozen(context.endpoint), true);
});
