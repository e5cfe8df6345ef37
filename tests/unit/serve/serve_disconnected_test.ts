import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  close,
  disconnectSignal,
  listen,
  recv,
  send,
  serve,
  type ServeContext,
  SocketError,
} from "../../../mod.ts";
import { ScriptedConn, ScriptedListener } from "../../support/scripted_runtime.ts";
import { Arrivals, type Handler, serving, until } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";

Deno.test("V8: disconnected aborts when the client has left, although the handler does not read", async () => {
  const reasons = new Arrivals<unknown>();
  const begun = new Arrivals<void>();
  await using served = await serving(async (_, { disconnected }) => {
    begun.push();
    await new Promise((resolve) => disconnected.addEventListener("abort", resolve));
    reasons.push(disconnected.reason);
  });
  const client = await served.client();
  await soon(begun.next());
  await close(client);
  const reason = await soon(reasons.next());
  assert(reason instanceof SocketError);
  assertEquals([reason.kind, reason.operation], ["UnexpectedEof", "disconnectSignal"]);
  assertEquals(served.errors, []);
});

Deno.test("V8: each connection has its own disconnected, which takes no bytes of the client", async () => {
  const contexts: ServeContext[] = [];
  await using served = await serving(async (connection, context) => {
    contexts.push(context);
    assertStrictEquals(context.disconnected, context.disconnected);
    assertStrictEquals(context.disconnected, disconnectSignal(connection));
    await turns();
    await send(connection, (await recv(connection))!);
  });
  for (const text of ["first", "second"]) {
    const client = await served.client();
    await send(client, bytesOf(text));
    assertEquals(textOf(await soon(recv(client))), text);
    await close(client);
  }
  assert(contexts[0].disconnected !== contexts[1].disconnected);
  await until(() => contexts.every(({ disconnected }) => disconnected.aborted), "all are over");
  assertEquals(served.errors, []);
});

Deno.test("R7: nothing is read ahead for a handler that does not use disconnected", async () => {
  for (const [asks, reads] of [[false, 0], [true, 1]] as const) {
    const conn = new ScriptedConn();
    let count = 0;
    const { read } = conn;
    conn.read = () => {
      count++;
      return read.call(conn);
    };
    using _runtime = new ScriptedListener([conn]);
    const server = serve(await listen(LOOPBACK), async (_, context) => {
      if (asks) void context.disconnected;
      await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
    });
    await turns();
    assertEquals(count, reads);
    await server.shutdown({ timeout: 0 });
  }
});

const ENDED: Record<string, Handler> = {
  "rejects with it as the cause": async (connection, { disconnected }) => {
    await turns();
    for (;;) await recv(connection, { signal: disconnected });
  },
  "throws its reason": async (_, { disconnected }) => {
    await new Promise((resolve) => disconnected.addEventListener("abort", resolve));
    disconnected.throwIfAborted();
  },
};

for (const [what, handler] of Object.entries(ENDED)) {
  Deno.test(`V8: a handler that ${what}, since its client has left, is no failure`, async () => {
    await using served = await serving(handler);
    const client = await served.client();
    await until(() => served.server.active === 1, "it is served");
    await close(client);
    await until(() => served.server.active === 0, "it is over");
    assertEquals(served.errors, []);
  });
}
