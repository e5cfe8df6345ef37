import { assert, assertEquals } from "@std/assert";
import {
  abort,
  close,
  closeListener,
  connect,
  type Connection,
  listen,
  recv,
  send,
  type UnixAddress,
} from "../../mod.ts";
import { Random } from "../support/random.ts";
import { rejection } from "../support/socket_errors.ts";
import { SocketFolder, unixPair } from "../support/unix_sockets.ts";

Deno.test("N1: connect() is ConnectionRefused where nobody listens, and the code says why", async () => {
  await using folder = await SocketFolder.make();
  const [missing, file, gone, below] = [0, 1, 2, 3].map(() => folder.next());
  await Deno.writeTextFile(file.path, "");
  await closeListener(await listen(gone));
  const cases: readonly (readonly [UnixAddress, string])[] = [
    [missing, "ENOENT"],
    [gone, "ENOENT"],
    [{ path: `${below.path}/it.sock` }, "ENOENT"],
    [file, "ECONNREFUSED"],
    [{ path: `\0sockets-${crypto.randomUUID()}` }, "ECONNREFUSED"],
  ];
  for (const [address, code] of cases) {
    const error = await rejection(() => connect(address), "ConnectionRefused", "connect");
    assertEquals([error.code, error.address, error.retryable], [code, address, true]);
    assert(Object.isFrozen(error.address));
  }
});

Deno.test("N1: connect() is ConnectionRefused if the path goes through a file", async () => {
  await using folder = await SocketFolder.make();
  const file = folder.next();
  await Deno.writeTextFile(file.path, "");
  const error = await rejection(
    () => connect({ path: `${file.path}/it.sock` }),
    "ConnectionRefused",
    "connect",
  );
  assertEquals([error.code, error.retryable], ["ENOTDIR", true]);
});

Deno.test("N1: connect() without the rights of the file is PermissionDenied", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  const real = Deno.connect;
  const denied = Object.assign(new Deno.errors.PermissionDenied("Permission denied"), {
    code: "EACCES",
  });
  // Root has all rights, so the system would not refuse it.
  Object.assign(Deno, { connect: () => Promise.reject(denied) });
  try {
    const error = await rejection(() => connect(address), "PermissionDenied", "connect");
    assertEquals([error.code, error.permission, error.cause], ["EACCES", undefined, denied]);
    assertEquals(
      error.reason,
      "the rights of the socket file or of a directory forbid it (EACCES)",
    );
  } finally {
    Object.assign(Deno, { connect: real });
  }
});

Deno.test("N1: 1,000 connects that are aborted around their success leave no connection", async () => {
  await using folder = await SocketFolder.make();
  await using listener = await listen(folder.next());
  const random = new Random();
  const accepted: Connection[] = [];
  const serving = (async () => {
    for await (const connection of listener) accepted.push(connection as unknown as Connection);
  })();
  let cancelled = 0;
  for (let attempt = 0; attempt < 1000; attempt++) {
    const controller = new AbortController();
    const outcome = connect(listener.address, { signal: controller.signal }).then(
      abort,
      (error) => {
        assertEquals(error.kind, "Aborted");
        cancelled++;
      },
    );
    for (let turn = random.below(12); turn > 0; turn--) await Promise.resolve();
    if (random.below(2) === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    controller.abort();
    await outcome;
  }
  assert(cancelled > 0, "no abort came in time");
  // Clients are accepted in the order they came: after this one, no other can come.
  const last = await connect(listener.address);
  await send(last, new Uint8Array([7]));
  const seen = new Set<Connection>();
  for (let found = false; !found;) {
    for (const connection of accepted.filter((one) => !seen.has(one))) {
      seen.add(connection);
      // A connection that was left behind would never end.
      found ||= await recv(connection, { timeout: 5000 }) !== null;
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(seen.size, accepted.length);
  abort(last);
  await closeListener(listener);
  await serving;
  accepted.forEach(abort);
});

Deno.test("N1: a timeout of connect() that does not come leaves nothing behind", async () => {
  await using pair = await unixPair({ timeout: 60_000, signal: new AbortController().signal });
  await send(pair.client, new Uint8Array([1]), { timeout: 60_000 });
  assertEquals(await recv(pair.server, { timeout: 60_000 }), new Uint8Array([1]));
});

Deno.test("N1: the address in an error of a connection is the listener's, or none on its side", async () => {
  await using pair = await unixPair();
  const { client, server, listener } = pair;
  const here = await rejection(() => recv(client, { timeout: 1 }), "TimedOut", "recv");
  assertEquals(here.address, listener.address);
  assert(here.message.startsWith(`recv unix:${listener.address.path}: `), here.message);
  const there = await rejection(() => recv(server, { timeout: 1 }), "TimedOut", "recv");
  assertEquals([there.address, there.message], [undefined, "recv: timed out after 1 ms"]);
});

Deno.test("N1: options of TCP have no effect on a path", async () => {
  await using pair = await unixPair({ noDelay: false, keepAlive: true, sendQueueLimit: 100 });
  await send(pair.client, new Uint8Array([1]));
  assertEquals(await recv(pair.server), new Uint8Array([1]));
  await Promise.all([close(pair.client), close(pair.server)]);
});
