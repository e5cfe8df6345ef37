import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import {
  abort,
  accept,
  closeListener,
  closeWrite,
  connect,
  connectionOver,
  flush,
  framed,
  lengthPrefixed,
  lines,
  listen,
  recv,
  recvExactly,
  recvInto,
  recvUntil,
  send,
  sendFrame,
  sendFrames,
  type SocketAddress,
  SocketError,
} from "../../../mod.ts";
import { RECEIVING_CALLS, type ReceivingCall } from "../../support/receiving_calls.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { LOOPBACK, tcpPair } from "../../support/tcp_pair.ts";
import { rejection } from "../../support/socket_errors.ts";

/** Values that a transport may throw. */
const RAW_ERRORS: readonly unknown[] = [
  new TypeError("raw"),
  new DOMException("raw", "AbortError"),
  new RangeError("raw"),
  new Deno.errors.BadResource("Bad resource ID"),
  "a string",
  undefined,
];

for (const raw of RAW_ERRORS) {
  Deno.test(`E1: the value that a transport throws is the cause and never escapes: ${raw}`, async () => {
    const failing = (): never => {
      throw raw;
    };
    for (const how of [failing, () => Promise.reject(raw)]) {
      const transport = { read: how, write: how, closeWrite: how, close: how };
      const calls: readonly Pick<ReceivingCall, "name" | "call">[] = [
        ...RECEIVING_CALLS,
        { name: "send", call: (connection) => send(connection, new Uint8Array(1)) },
        {
          name: "sendFrames",
          call: (connection) => sendFrames(framed(connection, lines()), ["line"]),
        },
        {
          name: "sendFrame",
          call: (connection) => sendFrame(framed(connection, lines()), "line"),
        },
        { name: "closeWrite", call: closeWrite },
      ];
      for (const { name, call } of calls) {
        const connection = connectionOver(transport);
        const error = await call(connection).then(() => undefined, (error) => error);
        assert(error instanceof SocketError, name);
        assertEquals(error.operation, name);
        assertStrictEquals(error.cause, raw, name);
      }
    }
  });
}

Deno.test("E1: bad arguments are InvalidInput before any I/O", async () => {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  const nonsense = "nonsense" as never;
  await rejection(() => send(connection, nonsense), "InvalidInput", "send");
  await rejection(() => send(connection, new Uint8Array(1), nonsense), "InvalidInput", "send");
  await rejection(() => recv(connection, { maxBytes: 0 }), "InvalidInput", "recv");
  await rejection(() => recv(connection, nonsense), "InvalidInput", "recv");
  await rejection(() => recvInto(connection, nonsense), "InvalidInput", "recvInto");
  await rejection(() => recvInto(connection, new Uint8Array(0)), "InvalidInput", "recvInto");
  await rejection(() => closeWrite(connection, nonsense), "InvalidInput", "closeWrite");
  await rejection(() => flush(connection, nonsense), "InvalidInput", "flush");
  await rejection(() => recvExactly(connection, nonsense), "InvalidInput", "recvExactly");
  await rejection(() => recvUntil(connection, nonsense), "InvalidInput", "recvUntil");
  const stream = framed(connection, lengthPrefixed());
  await rejection(() => sendFrame(stream, nonsense), "InvalidInput", "sendFrame");
  await rejection(() => sendFrames(stream, nonsense), "InvalidInput", "sendFrames");
  const frame = new Uint8Array(1);
  await rejection(() => sendFrames(stream, [frame], nonsense), "InvalidInput", "sendFrames");
  await rejection(() => sendFrame(stream, frame, nonsense), "InvalidInput", "sendFrame");
  for (const { name, call } of RECEIVING_CALLS) {
    await rejection(() => call(connection, nonsense), "InvalidInput", name);
  }
  assertEquals(transport.log, []);
});

Deno.test("E1: connectionOver() throws InvalidInput for anything but a transport", () => {
  const read = () => Promise.resolve(null);
  const write = () => Promise.resolve(1);
  const close = () => {};
  for (
    const garbage of [undefined, null, 5, "text", {}, { read }, { read, write }, { write, close }]
  ) {
    const error = assertThrows(() => connectionOver(garbage as never), SocketError);
    assertEquals([error.kind, error.operation], ["InvalidInput", "connectionOver"]);
  }
  for (const sendQueueLimit of [-1, NaN, "5"]) {
    const options = { sendQueueLimit } as never;
    const error = assertThrows(() => connectionOver({ read, write, close }, options), SocketError);
    assertEquals([error.kind, error.operation], ["InvalidInput", "connectionOver"]);
  }
});

Deno.test("E2: a message has the operation, the address, what went wrong and the code", async () => {
  const listener = await listen(LOOPBACK);
  const { address } = listener;
  await closeListener(listener);
  const error = await rejection(() => connect(address), "ConnectionRefused", "connect");
  assertEquals(
    error.message,
    `connect 127.0.0.1:${address.port}: connection refused (ECONNREFUSED)`,
  );
  assertEquals(error.address, address);
  assertEquals(error.code, "ECONNREFUSED");
});

Deno.test("E2: on a connection the address is the remote one, without a code there is none", async () => {
  await using pair = await tcpPair();
  const { client, listener } = pair;
  const error = await rejection(() => recv(client, { timeout: 0 }), "TimedOut", "recv");
  assertEquals(error.message, `recv 127.0.0.1:${listener.address.port}: timed out after 0 ms`);
  assertEquals(error.address, client.remoteAddress);
});

Deno.test("E2: an IPv6 address is in brackets, and a missing address is left out", async () => {
  const remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "::1", port: 80 };
  const six = connectionOver(new ScriptedTransport({ remoteAddr }));
  const named = await rejection(() => recv(six, { timeout: 0 }), "TimedOut", "recv");
  assertEquals(named.message, "recv [::1]:80: timed out after 0 ms");

  const transport = new ScriptedTransport();
  const received = recv(connectionOver(transport));
  (await transport.nextRead()).fail(connectionReset());
  const nameless = await rejection(() => received, "ConnectionReset", "recv");
  assertEquals(nameless.message, "recv: connection reset by the peer (ECONNRESET)");
  assertEquals("address" in nameless, false);
});

for (const [host, inFlag] of [["127.0.0.1", "127.0.0.1"], ["::1", "[::1]"]]) {
  Deno.test({
    name:
      `E3: a missing permission for ${host} names the flag, and the descriptor can be asked for`,
    permissions: { net: false },
    async fn() {
      const address = { host, port: 9 };
      for (const [name, call] of Object.entries({ connect, listen })) {
        const error = await rejection(() => call(address), "PermissionDenied", name);
        assertEquals(
          error.message,
          `${name} ${inFlag}:9: net access is missing, run again with --allow-net=${inFlag}:9`,
        );
        assertEquals(error.permission, { name: "net", host: `${inFlag}:9` });
        assertEquals((await Deno.permissions.query(error.permission!)).state, "prompt");
      }
    },
  });
}

function assertPlainAndFrozen(address: SocketAddress): void {
  assertStrictEquals(Object.getPrototypeOf(address), Object.prototype);
  assertEquals(Object.keys(address).sort(), ["host", "port"]);
  assert(Object.isFrozen(address));
}

Deno.test("E8: addresses are frozen plain objects", async () => {
  await using pair = await tcpPair();
  const { listener, client, server } = pair;
  for (const { localAddress, remoteAddress } of [client, server]) {
    assertPlainAndFrozen(localAddress);
    assertPlainAndFrozen(remoteAddress);
  }
  assertPlainAndFrozen(listener.address);
  assertEquals(client.localAddress, server.remoteAddress);
  assertEquals(client.remoteAddress, listener.address);
  const own = { host: "127.0.0.1", port: 0 };
  const error = await rejection(() => connect({ ...own, port: 1 }), "ConnectionRefused", "connect");
  assertPlainAndFrozen(error.address!);
  assertPlainAndFrozen(connectionOver(new ScriptedTransport()).remoteAddress);
});

Deno.test("E8: a caller's own address is not frozen", async () => {
  const address = { host: "127.0.0.1", port: 0 };
  await using listener = await listen(address);
  assert(!Object.isFrozen(address));
  address.host = "changed";
  assertEquals(listener.address.host, "127.0.0.1");
});

Deno.test("E8: ::ffff:a.b.c.d is given as a.b.c.d", async () => {
  await using listener = await listen({ host: "::", port: 0 });
  const accepted = accept(listener);
  const client = await connect({ host: "127.0.0.1", port: listener.address.port });
  const server = await accepted;
  assertEquals(server.remoteAddress, client.localAddress);
  assertEquals(server.localAddress.host, "127.0.0.1");
  abort(client);
  abort(server);
});

Deno.test("E8: the addresses of a connection are empty if its transport has none", () => {
  const other = { transport: "vsock", cid: 3, port: 5000 };
  for (const options of [{}, { localAddr: other, remoteAddr: other }]) {
    const connection = connectionOver(new ScriptedTransport(options));
    assertEquals(connection.localAddress, { host: "", port: 0 });
    assertEquals(connection.remoteAddress, { host: "", port: 0 });
  }
});

Deno.test("E8: a transport of a Unix socket has paths, and an empty one if it has no name", () => {
  const localAddr: Deno.UnixAddr = { transport: "unix", path: "/run/it" };
  const remoteAddr = { transport: "unix", path: null };
  const connection = connectionOver(new ScriptedTransport({ localAddr, remoteAddr }));
  assertEquals<SocketAddress>(connection.localAddress, { path: "/run/it" });
  assertEquals<SocketAddress>(connection.remoteAddress, { path: "" });
  assert(Object.isFrozen(connection.localAddress));
});
