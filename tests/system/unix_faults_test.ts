/** Faults of the process at the other end of a Unix socket. */
import { assert, assertEquals } from "@std/assert";
import {
  abort,
  close,
  closeListener,
  connect,
  type Connection,
  listen,
  recv,
  recvExactly,
  send,
  type SocketError,
  type UnixAddress,
} from "../../mod.ts";
import { EchoProcess } from "../support/echo_process.ts";
import { rejection, soon } from "../support/socket_errors.ts";
import { SocketFolder } from "../support/unix_sockets.ts";

/** More bytes than a pair of Unix sockets holds. */
const LARGE_BYTES = 32 * 1024 * 1024;

Deno.test("N1: a killed server ends its clients, and leaves its file", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using server = await EchoProcess.start(address);
  const [idle, busy] = await Promise.all([connect(address), connect(address)]);
  await send(idle, new Uint8Array([1]));
  assertEquals(await recvExactly(idle, 1), new Uint8Array([1]));
  const sending = send(busy, new Uint8Array(LARGE_BYTES)).then(() => undefined, (error) => error);
  await server.kill();
  const broken: SocketError | undefined = await soon(sending);
  assert(broken !== undefined && ["BrokenPipe", "ConnectionReset"].includes(broken.kind));
  assert(broken.bytesSent! < LARGE_BYTES);
  assertEquals(await soon(recv(idle)), null);
  [idle, busy].forEach(abort);

  const refused = await rejection(() => connect(address), "ConnectionRefused", "connect");
  assertEquals(refused.code, "ECONNREFUSED");
  await rejection(() => listen(address), "AddressInUse", "listen");
});

Deno.test("N1: replaceStale replaces the file that a killed server leaves", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using server = await EchoProcess.start(address);
  await rejection(() => listen(address, { replaceStale: true }), "AddressInUse", "listen");
  await server.kill();
  await closeListener(await listen(address, { replaceStale: true, mode: 0o600 }));
  assertEquals(await folder.names(), []);
});

Deno.test("N1: calls on a stopped peer keep their deadlines, and go on after it", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using server = await EchoProcess.start(address);
  const [quiet, full] = await Promise.all([connect(address), connect(address)]);
  await send(quiet, new Uint8Array([1]));
  assertEquals(await recvExactly(quiet, 1), new Uint8Array([1]));
  server.signal("SIGSTOP");
  // The kernel takes connections and bytes for it.
  const late = await connect(address, { timeout: 10_000 });
  await send(quiet, new Uint8Array([2]));
  await rejection(() => recv(quiet, { timeout: 50 }), "TimedOut", "recv");
  const torn = await rejection(
    () => send(full, new Uint8Array(LARGE_BYTES), { timeout: 50 }),
    "TimedOut",
    "send",
  );
  assert(torn.bytesSent! < LARGE_BYTES);
  await rejection(() => send(full, new Uint8Array(1)), "Closed", "send");
  server.signal("SIGCONT");
  assertEquals(await soon(recvExactly(quiet, 1)), new Uint8Array([2]));
  await send(late, new Uint8Array([3]));
  assertEquals(await soon(recvExactly(late, 1)), new Uint8Array([3]));
  await Promise.all([close(quiet), close(late)]);
});

Deno.test("N1: connect() to a listener with a full queue is ResourceExhausted, and may be tried again", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using server = await EchoProcess.start(address);
  const waiting = await fill(server, address);
  const error = await rejection(() => connect(address), "ResourceExhausted", "connect");
  assertEquals([error.code, error.retryable], ["EAGAIN", true]);
  server.signal("SIGCONT");
  await send(waiting[0], new Uint8Array([1]));
  assertEquals(await soon(recvExactly(waiting[0], 1)), new Uint8Array([1]));
  waiting.push(await connect(address));
  waiting.forEach(abort);
});

Deno.test("N1: replaceStale leaves a listener alone that is too busy to answer", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using server = await EchoProcess.start(address);
  const waiting = await fill(server, address);
  await rejection(() => listen(address, { replaceStale: true }), "AddressInUse", "listen");
  server.signal("SIGCONT");
  await send(waiting[0], new Uint8Array([1]));
  assertEquals(await soon(recvExactly(waiting[0], 1)), new Uint8Array([1]));
  abort(await connect(address));
  waiting.forEach(abort);
});

/** Stops a server, and connects until its queue is full. */
async function fill(server: EchoProcess, address: UnixAddress): Promise<Connection<UnixAddress>[]> {
  server.signal("SIGSTOP");
  const waiting: Connection<UnixAddress>[] = [];
  let full = false;
  while (!full && waiting.length < 10_000) {
    await connect(address).then((client) => void waiting.push(client), () => full = true);
  }
  assert(full, "the queue has no end");
  return waiting;
}
