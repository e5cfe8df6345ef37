import { assertEquals, assertRejects } from "@std/assert";
import {
  abort,
  closeListener,
  connectionOver,
  disconnectSignal,
  framed,
  lines,
  listen,
  recv,
  ref,
  send,
  serve,
  SocketError,
  unref,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { soon, thrown } from "../../support/socket_errors.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, shown, textOf } from "../../support/text.ts";
import { turns } from "../../support/turns.ts";

const CALLS: Readonly<Record<string, (handle: never) => unknown>> = { ref, unref };

for (const [name, call] of Object.entries(CALLS)) {
  Deno.test(`E1: ${name}() throws InvalidInput for anything but a handle`, () => {
    const connection = connectionOver(new ScriptedTransport());
    const garbage = [undefined, null, 5, "text", {}, setTimeout, framed(connection, lines())];
    for (const handle of garbage) {
      thrown(() => call(handle as never), "InvalidInput", name);
    }
  });

  Deno.test(`${name}() may be called again and again, and after the end`, async () => {
    await using pair = await tcpPair();
    const { listener, client } = pair;
    const served = await listen(LOOPBACK);
    const server = serve(served, () => {});
    for (const handle of [listener, client, server, served]) {
      for (let times = 0; times < 3; times++) assertEquals(call(handle as never), undefined);
    }
    abort(client);
    await Promise.all([closeListener(listener), server.shutdown()]);
    for (const handle of [listener, client, server, served]) call(handle as never);
  });
}

Deno.test("E13: calls on an unreferenced connection do the same as on others", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  unref(client);
  const received = recv(client);
  await send(server, bytesOf("heard"));
  assertEquals(textOf((await soon(received))!), "heard");
  ref(client);
  await send(server, bytesOf("again"));
  assertEquals(textOf((await soon(recv(client)))!), "again");
});

Deno.test("E13: ref() and unref() call those of the transport once for each change, if it has them", async () => {
  const told: string[] = [];
  const transport = Object.assign(new ScriptedTransport(), {
    ref: () => void told.push("ref"),
    unref: () => void told.push("unref"),
  });
  const connection = connectionOver(transport);
  ref(connection);
  unref(connection);
  unref(connection);
  ref(connection);
  assertEquals(told.splice(0), ["unref", "ref"]);

  disconnectSignal(connection);
  assertEquals(told.splice(0), ["unref"]);
  const received = recv(connection);
  assertEquals(told.splice(0), ["ref"]);
  (await transport.nextRead()).give(bytesOf("read"));
  await soon(received);
  await turns();
  assertEquals(told.splice(0), ["unref"]);
  unref(connection);
  assertEquals(told.splice(0), []);
  abort(connection);
  assertEquals(told, ["ref"], "the process waits for the end of the connection");

  const plain = connectionOver(new ScriptedTransport());
  unref(plain);
  ref(plain);
});

Deno.test("E10: a transport whose ref() and unref() throw breaks no call, and abort() does not throw", async () => {
  const fail = () => {
    throw new Error("not this one");
  };
  const connection = connectionOver({
    read: () => new Promise(() => {}),
    write: (bytes) => Promise.resolve(bytes.length),
    close(): void {},
    ref: fail,
    unref: fail,
  });
  unref(connection);
  const signal = disconnectSignal(connection);
  const error = await assertRejects(() => recv(connection, { timeout: 1 }), SocketError);
  assertEquals(error.kind, "TimedOut");
  ref(connection);
  abort(connection);
  assertEquals(signal.aborted, true);
});

Deno.test("a connection shows its addresses and its counts in a log", () => {
  const connection = connectionOver(new ScriptedTransport());
  const { localAddress, remoteAddress } = connection;
  const figures = { localAddress, remoteAddress, bytesSent: 0, bytesReceived: 0 };
  assertEquals(shown(connection), `Connection ${shown(figures)}`);
});
