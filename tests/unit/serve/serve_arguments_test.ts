import { assertEquals } from "@std/assert";
import { abort, connect, listen, recv, serve, type ServeOptions } from "../../../mod.ts";
import { WRONG_OBJECTS, WRONG_TYPES } from "../../support/hostile.ts";
import { serving } from "../../support/serving.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { isPending } from "../../support/turns.ts";

// deno-lint-ignore no-explicit-any -- values that callers without types pass
type Any = any;

/** Checks that wrong arguments make `serve` accept nothing, and leave the listener as it was. */
async function isUntouched(wrong: (listener: Any) => void): Promise<void> {
  await using listener = await listen(LOOPBACK);
  wrong(listener);
  const client = await connect(listener.address);
  assertEquals(await isPending(recv(client).catch(() => {})), true);
  abort(client);
}

Deno.test("E1: serve() of a value that is no listener is InvalidInput", () => {
  for (const [what, value] of WRONG_OBJECTS) {
    thrown(() => serve(value as Any, () => {}), "InvalidInput", "serve", what);
  }
});

Deno.test("E1: serve() with a wrong handler is InvalidInput, and touches nothing", async () => {
  await isUntouched((listener) => {
    for (const [what, value] of WRONG_OBJECTS) {
      if (typeof value === "function") continue;
      thrown(() => serve(listener, value as Any), "InvalidInput", "serve", what);
    }
  });
});

Deno.test("E1: serve() with wrong options is InvalidInput, and touches nothing", async () => {
  await isUntouched((listener) => {
    for (const [what, value] of WRONG_TYPES) {
      thrown(() => serve(listener, () => {}, value as Any), "InvalidInput", "serve", what);
    }
  });
});

const COUNTS = [0, -1, 1.5, NaN, "1", null, true, 5n, {}];
const TIMES = [0, -1, 0.5, NaN, "1000", null, true, {}];

const WRONG_OPTIONS: readonly (readonly [name: string, values: readonly unknown[]])[] = [
  ["maxConnections", COUNTS],
  ["maxConnectionsPerHost", COUNTS],
  ["firstByteTimeout", TIMES],
  ["idleTimeout", TIMES],
  ["signal", [null, {}, "abort", 1]],
  ["onError", [null, {}, "log", 1]],
  ["onRefused", [null, {}, "full", 1]],
  ["whenFull", [null, {}, "", "Wait", "abort", true, 1]],
  ["proxyProtocol", [null, true, [], "10.0.0.0/8", {}, { trust: [] }, { trust: "::1" }]],
];

for (const [name, values] of WRONG_OPTIONS) {
  Deno.test(`E1: serve() with a wrong ${name} is InvalidInput, and touches nothing`, async () => {
    await isUntouched((listener) => {
      for (const value of values) {
        const wrong = () => serve(listener, () => {}, { [name]: value } as Any);
        thrown(wrong, "InvalidInput", "serve", `${name} ${typeof value}`);
      }
    });
  });
}

Deno.test("E1: serve() with a wrong timeout for the PROXY header is InvalidInput", async () => {
  await isUntouched((listener) => {
    for (const timeout of TIMES) {
      const proxyProtocol = { trust: ["127.0.0.1"], timeout: timeout as Any };
      thrown(() => serve(listener, () => {}, { proxyProtocol }), "InvalidInput", "serve");
    }
  });
});

Deno.test("serve() takes limits of Infinity, and options that are inherited", async () => {
  const limits: ServeOptions = {
    maxConnections: Infinity,
    maxConnectionsPerHost: Infinity,
    firstByteTimeout: Infinity,
    idleTimeout: Infinity,
  };
  await using served = await serving(() => {}, Object.create(limits));
  assertEquals(await soon(recv(await served.client())), null);
});

Deno.test("E1: shutdown() with wrong options is InvalidInput, and the server goes on", async () => {
  await using served = await serving(() => {});
  const { server } = served;
  for (const [what, value] of WRONG_TYPES) {
    await rejection(() => server.shutdown(value as Any), "InvalidInput", "shutdown", what);
  }
  for (const timeout of [-1, NaN, "1000", null, true, {}]) {
    const options = { timeout: timeout as Any };
    await rejection(() => server.shutdown(options), "InvalidInput", "shutdown", `${timeout}`);
  }
  assertEquals(await soon(recv(await served.client())), null);
});

Deno.test("E2: serve() names itself in the error about a listener of the runtime", () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const error = thrown(() => serve(listener as Any, () => {}), "InvalidInput", "serve");
  assertEquals(
    error.message,
    "serve: the first argument is not a Listener of listen or listenerOver",
  );
  listener.close();
});
