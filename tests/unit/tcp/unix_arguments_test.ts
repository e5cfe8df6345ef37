import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  bindUdp,
  closeUdp,
  connect,
  type ConnectOptions,
  listen,
  sendTo,
  type UnixAddress,
  type UnixListenOptions,
} from "../../../mod.ts";
import { rejection } from "../../support/socket_errors.ts";

// Nothing here reaches the system: it would need permissions that these tests do not have.

const GOOD: UnixAddress = { path: "/no/such/directory/it.sock" };
const LONGEST = "é".repeat(53) + "x";

const BAD_PATHS: readonly (readonly [path: unknown, part: string])[] = [
  ["", "path is empty"],
  ["\0", "path is empty"],
  ["/run/a\0b", "has a NUL"],
  ["\0a\0b", "has a NUL"],
  ["/run/\ud800", "half a surrogate pair"],
  [`${LONGEST}x`, "path has 108 bytes"],
  [`\0${LONGEST}x`, "path has 108 bytes"],
  ["é".repeat(100_000), "at most 107"],
  [null, "path is null, not a string"],
  [5, "path is 5, not a string"],
  [new URL("file:///run/it.sock"), "path is an object of another kind"],
  [["/run/it.sock"], "path is an array"],
];

const BAD_ADDRESSES: readonly unknown[] = [
  { path: "/run/it.sock", host: "127.0.0.1", port: 1 },
  { path: "/run/it.sock", host: "127.0.0.1" },
  { path: "/run/it.sock", port: 1 },
  { transport: "unix" },
  "unix:/run/it.sock",
  "/run/it.sock",
  {
    get path() {
      throw new Error("no path today");
    },
  },
];

for (const [operation, call] of [["listen", listen], ["connect", connect]] as const) {
  const run = (address: unknown, options?: unknown) =>
    rejection(() => call(address as UnixAddress, options as never), "InvalidInput", operation);

  Deno.test(`N1: ${operation}() says what is wrong with a path before any I/O`, async () => {
    for (const [path, part] of BAD_PATHS) {
      const { message } = await run({ path });
      assertMatch(message, /^.{1,400}$/);
      assert(message.includes(part), message);
    }
    for (const address of BAD_ADDRESSES) await run(address);
  });

  Deno.test(`N1: ${operation}() checks options of TCP for a path too`, async () => {
    for (const options of [{ noDelay: 1 }, { keepAlive: "yes" }, { sendQueueLimit: -1 }, null, 5]) {
      await run(GOOD, options);
    }
  });
}

Deno.test("N1: listen() takes no backlog or reusePort for a path, and no mode for a port", async () => {
  const cases: readonly (readonly [address: unknown, options: object, part: string])[] = [
    [GOOD, { backlog: 5 }, "backlog cannot be set for a path of a Unix socket"],
    [GOOD, { reusePort: false }, "reusePort cannot be set"],
    [{ host: "127.0.0.1", port: 0 }, { mode: 0o600 }, "mode cannot be set for a port"],
    [{ host: "127.0.0.1", port: 0 }, { replaceStale: false }, "replaceStale cannot be set"],
    [{ path: "\0name" }, { mode: 0o600 }, "an abstract name has none"],
    [GOOD, { mode: 0o1000 }, "mode is 512, not a whole number from 0 to 0o777, such as 0o512"],
    [GOOD, { mode: -1 }, "mode is -1, not a whole number from 0 to 0o777, such as 0o600"],
    [GOOD, { mode: 1.5 }, "mode is 1.5, not a whole number from 0 to 0o777, such as 0o600"],
    [GOOD, { mode: 660 }, "mode is 660, not a whole number from 0 to 0o777, such as 0o660"],
    [GOOD, { mode: "600" }, 'mode is "600", not a whole number from 0 to 0o777, such as 0o600'],
    [GOOD, { mode: "0o640" }, 'mode is "0o640", not a whole number from 0 to 0o777, such as 0o640'],
    [GOOD, { mode: null }, "mode is null, not a whole number from 0 to 0o777, such as 0o600"],
    [GOOD, { mode: {} }, "not a whole number from 0 to 0o777, such as 0o600"],
    [GOOD, { replaceStale: 1 }, "replaceStale is 1, not true or false"],
  ];
  for (const [address, options, part] of cases) {
    const { message } = await rejection(
      () => listen(address as UnixAddress, options as UnixListenOptions),
      "InvalidInput",
      "listen",
    );
    assert(message.includes(part), message);
  }
});

Deno.test("N1: a cancelled connect() to a path rejects before any I/O", async () => {
  const reason = new Error("no more");
  const options: ConnectOptions = { signal: AbortSignal.abort(reason), timeout: 0 };
  const error = await rejection(() => connect(GOOD, options), "Aborted", "connect");
  assertEquals([error.address, error.cause], [GOOD, reason]);
  await rejection(() => connect(GOOD, { timeout: 0 }), "TimedOut", "connect");
  await rejection(() => connect(GOOD, { ...options, timeout: -1 }), "InvalidInput", "connect");
});

Deno.test("E1: functions of UDP say that a path is not for them", async () => {
  const socket = await bindUdp({ host: "127.0.0.1", port: 0 });
  for (
    const [operation, call] of [
      ["bindUdp", () => bindUdp(GOOD as never)],
      ["sendTo", () => sendTo(socket, GOOD as never, new Uint8Array(1))],
    ] as const
  ) {
    const { message } = await rejection(call, "InvalidInput", operation);
    assert(message.includes("path, which is for listen and connect only"), message);
  }
  await closeUdp(socket);
});
