import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  closeWrite,
  connect,
  type Connection,
  connectionOver,
  connectTls,
  flush,
  listen,
  listenTls,
  recv,
  recvLine,
  send,
  SocketError,
  startTls,
} from "../../../mod.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { withSeed } from "../../support/random.ts";
import { testAuthority } from "../../support/tls_kinds.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server, client } = await testAuthority();
const serverOptions = { cert: server.cert, key: server.key, clientCaCerts: [ca.cert] };
const clientOptions = { caCerts: [ca.cert], serverName: "server.test" };
const own = { cert: client.cert, key: client.key };

/** Both ends of a TLS session, and the connections below it, whose end the test decides. */
interface Layers {
  readonly near: Connection;
  readonly far: Connection;
  /** Ends the transport of `far` without a word of TLS. */
  cut(): void;
}

async function overMemory(run: (layers: Layers) => Promise<void>): Promise<void> {
  await withSeed(async (random) => {
    const [one, other] = AwkwardTransport.pair(random);
    const [near, far] = await Promise.all([
      startTls(connectionOver(one), { role: "client", ...clientOptions, ...own }),
      startTls(connectionOver(other), { role: "server", ...serverOptions }),
    ]);
    try {
      await run({ near, far, cut: () => other.close() });
    } finally {
      abort(near);
      abort(far);
    }
  });
}

async function kindOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(() => undefined, (error) => error);
  assert(error instanceof SocketError, String(error));
  return error.kind;
}

Deno.test("T2: after close_notify the end of stream is null, again and again", async () => {
  await overMemory(async ({ near, far }) => {
    await send(far, new Uint8Array([1, 2, 3]));
    await closeWrite(far);
    assertEquals(await recv(near), new Uint8Array([1, 2, 3]));
    assertEquals(await recv(near), null);
    assertEquals(await recv(near), null);
  });
});

Deno.test("T2: an end without close_notify is UnexpectedEof after the data, again and again", async () => {
  await overMemory(async ({ near, far, cut }) => {
    await send(far, new Uint8Array([1, 2, 3]));
    cut();
    assertEquals(await recv(near), new Uint8Array([1, 2, 3]));
    for (let i = 0; i < 3; i++) {
      const error = await assertRejects(() => recv(near), SocketError, "without close_notify");
      assertEquals(error.kind, "UnexpectedEof");
    }
  });
});

Deno.test("T2: a cut is UnexpectedEof for a recv that waits", async () => {
  await overMemory(async ({ near, cut }) => {
    const receiving = kindOf(recv(near));
    cut();
    assertEquals(await receiving, "UnexpectedEof");
  });
});

Deno.test("T2: the peer of an aborted connection sees that data may be missing", async () => {
  await using listener = await listenTls(LOOPBACK, serverOptions);
  // Node and Bun reset a connection that is dropped with unread input: the tickets of the session, say.
  const cuts = ["UnexpectedEof", "ConnectionReset"];
  const connecting = connectTls(listener.address, { ...clientOptions, ...own });
  const [near, far] = await Promise.all([connecting, accept(listener)]);
  abort(far);
  assert(cuts.includes(await kindOf(recv(near))));
  abort(near);

  const [one, other] = await Promise.all([
    connectTls(listener.address, { ...clientOptions, ...own }),
    accept(listener),
  ]);
  abort(one);
  assert(cuts.includes(await kindOf(recv(other))));
  abort(other);
});

Deno.test("T2: a server that aborts a client on the runtime's TLS sends no close_notify", async () => {
  const { cert, key } = server;
  await using listener = await listenTls(LOOPBACK, { cert, key });
  const [near, far] = await Promise.all([
    connectTls(listener.address, clientOptions),
    accept(listener),
  ]);
  await send(far, new Uint8Array([7]));
  assertEquals(await recv(near), new Uint8Array([7]));
  abort(far);
  assertEquals(await kindOf(recv(near)), "UnexpectedEof");
  abort(near);
});

Deno.test("T2: a close of both sides at once is no truncation, and delivers everything", async () => {
  await using listener = await listenTls(LOOPBACK, serverOptions);
  const [near, far] = await Promise.all([
    connectTls(listener.address, { ...clientOptions, ...own }),
    accept(listener),
  ]);
  const bytes = new Uint8Array(3_000_000).fill(7);
  const sending = send(near, bytes).then(() => close(near));
  let length = 0;
  for await (const chunk of far) length += chunk.length;
  assertEquals(length, bytes.length);
  await Promise.all([close(far), sending]);
});

Deno.test("T4: bytes that came before the handshake are refused, and the connection lives on", async () => {
  await using listener = await listen(LOOPBACK);
  const [one, other] = await Promise.all([connect(listener.address), accept(listener)]);
  await send(other, new TextEncoder().encode("OK\r\n250 injected"));
  assertEquals(await recvLine(one), "OK");
  const error = await assertRejects(
    () => startTls(one, { role: "client", ...clientOptions }),
    SocketError,
    "came before the handshake",
  );
  assertEquals(error.kind, "InvalidInput");
  assertEquals(await recv(one), new TextEncoder().encode("250 injected"));
  await Promise.all([close(one), close(other)]);
});

Deno.test("T2, K2: after the peer's end a send is delivered, or it is BrokenPipe", async () => {
  await using listener = await listenTls(LOOPBACK, serverOptions);
  const [near, far] = await Promise.all([
    connectTls(listener.address, { ...clientOptions, ...own }),
    accept(listener),
  ]);
  await closeWrite(near);
  assertEquals(await recv(far), null);
  const sent = await send(far, new Uint8Array([7])).then(() => "sent", ({ kind }) => kind);
  await close(far);
  const received = await recv(near);
  // Bun ends both directions at the peer's end.
  assertEquals([sent, received?.[0]], received === null ? ["BrokenPipe", undefined] : ["sent", 7]);
  assertEquals(received === null, "Bun" in globalThis);
  await close(near);
});

Deno.test("T4: bytes that come during the handshake and are no TLS end it", async () => {
  for (const role of ["client", "server"] as const) {
    await using listener = await listen(LOOPBACK);
    const [one, other] = await Promise.all([connect(listener.address), accept(listener)]);
    await send(other, new TextEncoder().encode("250 injected\r\n"));
    const options = role === "client" ? clientOptions : serverOptions;
    const error = await assertRejects(
      () => startTls(one, { role, ...options } as Parameters<typeof startTls>[1]),
      SocketError,
      "the peer does not speak TLS",
    );
    assertEquals(error.kind, "TlsFailed");
    abort(other);
  }
});

Deno.test("T4: startTls sends what waits first, and nothing in the clear after it", async () => {
  await using listener = await listen(LOOPBACK);
  const [one, raw] = await Promise.all([connect(listener.address), accept(listener)]);
  const sent = [
    send(one, new Uint8Array(3_000_000).fill(1)),
    send(one, new Uint8Array([2]), { timeout: 60_000 }),
  ];
  const starting = kindOf(startTls(one, { role: "client", ...clientOptions, ...own }));
  for (const call of [send(one, new Uint8Array([3])), recv(one), closeWrite(one), flush(one)]) {
    assertEquals(await kindOf(call), "Closed");
  }
  const received: number[] = [];
  while (received.length < 3_000_003) {
    for (const byte of (await recv(raw))!) received.push(byte);
  }
  await Promise.all(sent);
  assertEquals(received[2_999_999], 1);
  assertEquals(received.slice(3_000_000, 3_000_003), [2, 22, 3]);
  const closing = close(raw);
  assertEquals(await starting, "UnexpectedEof");
  await closing;
  assertEquals(await kindOf(recv(one)), "Closed");
});

Deno.test("T4: a handshake that begins while the last sends leave is not lost", async () => {
  const client = new ScriptedTransport();
  const connecting = kindOf(startTls(connectionOver(client), { role: "client", ...clientOptions }));
  const hello = (await client.nextWrite()).bytes;

  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  await recv(connection, { timeout: 1 }).catch(() => {});
  const sent = send(connection, new TextEncoder().encode("220 go ahead"));
  const write = await transport.nextWrite();
  const controller = new AbortController();
  const { signal } = controller;
  const starting = kindOf(startTls(connection, { role: "server", ...serverOptions, signal }));
  (await transport.nextRead()).give(hello);
  write.take();
  await sent;
  assertEquals((await transport.nextWrite()).bytes[0], 22);
  controller.abort();
  assertEquals(await starting, "Aborted");
  (await client.nextRead()).end();
  assertEquals(await connecting, "UnexpectedEof");
});

Deno.test("T4: the handle that startTls has taken over is Closed, and does nothing to the session", async () => {
  await using listener = await listen(LOOPBACK);
  const [one, other] = await Promise.all([connect(listener.address), accept(listener)]);
  const [near, far] = await Promise.all([
    startTls(one, { role: "client", ...clientOptions, ...own }),
    startTls(other, { role: "server", ...serverOptions }),
  ]);
  assertEquals(await kindOf(send(one, new Uint8Array([3]))), "Closed");
  assertEquals(await kindOf(recv(one)), "Closed");
  assertEquals(await kindOf(startTls(one, { role: "client", ...clientOptions })), "Closed");
  abort(one);
  await close(other);
  await send(near, new Uint8Array([4]));
  assertEquals(await recv(far), new Uint8Array([4]));
  await Promise.all([close(near), close(far)]);
});

Deno.test("T4: startTls beside a receiving call is Busy, and both survive", async () => {
  await using listener = await listen(LOOPBACK);
  const [one, other] = await Promise.all([connect(listener.address), accept(listener)]);
  const receiving = recv(one);
  assertEquals(await kindOf(startTls(one, { role: "client", ...clientOptions })), "Busy");
  await send(other, new Uint8Array([1]));
  assertEquals(await receiving, new Uint8Array([1]));
  await Promise.all([close(one), close(other)]);
});

Deno.test("T4: startTls on a connection whose peer has ended its side is UnexpectedEof", async () => {
  await using listener = await listen(LOOPBACK);
  const [one, other] = await Promise.all([connect(listener.address), accept(listener)]);
  await closeWrite(other);
  assertEquals(await recv(one), null);
  assertEquals(await kindOf(startTls(one, { role: "client", ...clientOptions })), "UnexpectedEof");
  await Promise.all([close(one), close(other)]);
});

Deno.test("T3: a client that says nothing, or breaks off, blocks nobody and is dropped", async () => {
  const { cert, key } = server;
  const listener = await listenTls(LOOPBACK, { cert, key, handshakeTimeout: 50 });
  const silent = await Promise.all(
    Array.from({ length: 30 }, () => connect(listener.address)),
  );
  const halfway = await connect(listener.address);
  await send(halfway, new Uint8Array([22, 3, 1, 2, 0, 1, 0]));
  const plain = await connect(listener.address);
  await send(plain, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  const gone = await connect(listener.address);
  abort(gone);
  const [near, far] = await Promise.all([
    connectTls(listener.address, clientOptions),
    accept(listener),
  ]);
  await send(near, new Uint8Array([1]));
  assertEquals(await recv(far), new Uint8Array([1]));
  await Promise.all([close(near), close(far)]);
  for (const connection of [...silent, halfway, plain]) {
    assertEquals(
      await recv(connection).catch((error) => error.kind === "ConnectionReset" && null),
      null,
    );
    abort(connection);
  }
  await closeListener(listener);
});

Deno.test("T3: one client more than may shake hands at once drops the oldest", async () => {
  const { cert, key } = server;
  const listener = await listenTls(LOOPBACK, { cert, key });
  const accepting = accept(listener);
  const silent: Connection[] = [];
  for (let i = 0; i < 1001; i++) silent.push(await connect(listener.address));
  assertEquals(
    await recv(silent[0]).catch((error) => error.kind === "ConnectionReset" && null),
    null,
  );
  const near = await connectTls(listener.address, clientOptions);
  const far = await accepting;
  await Promise.all([close(near), close(far)]);
  for (const connection of silent) abort(connection);
  await closeListener(listener);
});

Deno.test("T3: handshakes are done before anybody accepts", async () => {
  const { cert, key } = server;
  await using listener = await listenTls(LOOPBACK, { cert, key });
  const near = await connectTls(listener.address, clientOptions);
  const far = await accept(listener);
  await Promise.all([close(near), close(far)]);
});
