import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  connect,
  listen,
  type Listener,
  recv,
  send,
  type UnixAddress,
} from "../../mod.ts";
import { rejection } from "../support/socket_errors.ts";
import { SocketFolder } from "../support/unix_sockets.ts";

/** Leaves a socket file that nobody listens on, as a killed process does. */
async function leaveStale({ path }: UnixAddress): Promise<void> {
  const listener = await listen({ path });
  Deno.linkSync(path, `${path}.kept`);
  await closeListener(listener);
  Deno.renameSync(`${path}.kept`, path);
}

/** Proves that a listener is reached at its path. */
async function proveReached(listener: Listener<UnixAddress>): Promise<void> {
  const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
  await send(client, new Uint8Array([1]));
  assertEquals(await recv(server), new Uint8Array([1]));
  await Promise.all([close(client), close(server)]);
}

/** Runs with a umask of its own. */
async function withUmask(umask: number, run: () => Promise<void>): Promise<void> {
  const previous = Deno.umask(umask);
  try {
    await run();
  } finally {
    Deno.umask(previous);
  }
}

function modeOf({ path }: UnixAddress): number {
  return Deno.lstatSync(path).mode! & 0o7777;
}

Deno.test("N1: a listener and its connections have the path, and clients have none", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using listener = await listen(address);
  assertEquals(listener.address, address);
  assert(Object.isFrozen(listener.address) && !Object.isFrozen(address));
  const [client, server] = await Promise.all([connect(address), accept(listener)]);
  assertEquals([client.localAddress, client.remoteAddress], [{ path: "" }, address]);
  assertEquals([server.localAddress, server.remoteAddress], [address, { path: "" }]);
  await Promise.all([close(client), close(server)]);
});

Deno.test("N1: a path may have 107 bytes, and may be relative", async () => {
  await using folder = await SocketFolder.make();
  const path = `${folder.path}/`.padEnd(107, "x");
  for (const address of [{ path }, { path: `${folder.path}/./é` }]) {
    await using listener = await listen(address);
    await proveReached(listener);
  }
  const before = Deno.cwd();
  Deno.chdir(folder.path);
  try {
    await using listener = await listen({ path: "relative.sock" });
    assertEquals(listener.address, { path: "relative.sock" });
    await proveReached(listener);
  } finally {
    Deno.chdir(before);
  }
  assertEquals(await folder.names(), []);
});

Deno.test("N1: the mode of the socket file is the one asked for, whatever the umask", async () => {
  await using folder = await SocketFolder.make();
  for (const umask of [0, 0o022, 0o077, 0o777]) {
    for (const mode of [0, 0o600, 0o660, 0o666, 0o777]) {
      await withUmask(umask, async () => {
        await using listener = await listen(folder.next(), { mode });
        assertEquals(modeOf(listener.address), mode);
      });
    }
    await withUmask(umask, async () => {
      await using listener = await listen(folder.next());
      assertEquals(modeOf(listener.address), 0o777 & ~umask);
    });
  }
});

Deno.test("N1: before the mode is set nobody but the owner may connect", async () => {
  await using folder = await SocketFolder.make();
  const chmod = Deno.chmodSync;
  const seen: number[] = [];
  Deno.chmodSync = (path, mode) => {
    seen.push(Deno.lstatSync(path).mode! & 0o7777);
    chmod(path, mode);
  };
  try {
    await withUmask(0, async () => {
      for (const mode of [0o666, 0o660, 0o400]) {
        await using _ = await listen(folder.next(), { mode });
      }
    });
  } finally {
    Deno.chmodSync = chmod;
  }
  assertEquals(seen, [0o600, 0o600, 0o400]);
});

Deno.test("N1: listen() leaves the umask as it was, also if it fails", async () => {
  await using folder = await SocketFolder.make();
  await withUmask(0o027, async () => {
    await using listener = await listen(folder.next(), { mode: 0o600 });
    await rejection(() => listen(listener.address, { mode: 0o600 }), "AddressInUse", "listen");
    assertEquals(Deno.umask(0o027), 0o027);
  });
});

Deno.test("N1: if the mode cannot be set, listen() leaves no socket", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  const chmod = Deno.chmodSync;
  Deno.chmodSync = () => {
    throw Object.assign(new Deno.errors.PermissionDenied("Operation not permitted"), {
      code: "EPERM",
    });
  };
  try {
    await rejection(() => listen(address, { mode: 0o600 }), "PermissionDenied", "listen");
  } finally {
    Deno.chmodSync = chmod;
  }
  assertEquals(await folder.names(), []);
});

for (const replaceStale of [false, true]) {
  const how = replaceStale ? "listen() with replaceStale" : "listen()";

  Deno.test(`N1: ${how} in a missing directory is AddressNotAvailable`, async () => {
    await using folder = await SocketFolder.make();
    await Deno.writeTextFile(`${folder.path}/file`, "");
    for (const [between, code] of [["missing", "ENOENT"], ["file", "ENOTDIR"]]) {
      const path = `${folder.path}/${between}/it.sock`;
      const error = await rejection(
        () => listen({ path }, { replaceStale }),
        "AddressNotAvailable",
        "listen",
      );
      assertEquals([error.code, error.address], [code, { path }]);
      assertEquals(error.reason, `the directory does not exist (${code})`);
    }
  });

  Deno.test(`N1: ${how} leaves whatever is at the path, and is AddressInUse`, async () => {
    await using folder = await SocketFolder.make();
    const [file, directory, link, stale] = [0, 1, 2, 3].map(() => folder.next());
    await Deno.writeTextFile(file.path, "precious");
    await Deno.mkdir(directory.path);
    await leaveStale(stale);
    await Deno.symlink(stale.path, link.path);
    for (const address of [file, directory, link]) {
      const error = await rejection(
        () => listen(address, { replaceStale, mode: 0o600 }),
        "AddressInUse",
        "listen",
      );
      assert(error.retryable);
    }
    assertEquals(await Deno.readTextFile(file.path), "precious");
    assert(Deno.lstatSync(directory.path).isDirectory && Deno.lstatSync(link.path).isSymlink);
    assert(Deno.lstatSync(stale.path).isSocket);
  });
}

Deno.test("N1: listen() leaves a stale socket file, and is AddressInUse", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await leaveStale(address);
  await rejection(() => listen(address), "AddressInUse", "listen");
  assert(Deno.lstatSync(address.path).isSocket);
});

Deno.test("N1: replaceStale replaces a socket file that nobody listens on", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await leaveStale(address);
  await rejection(() => connect(address), "ConnectionRefused", "connect");
  await using listener = await listen(address, { replaceStale: true, mode: 0o600 });
  await proveReached(listener);
  await using fresh = await listen(folder.next(), { replaceStale: true });
  await proveReached(fresh);
});

Deno.test({
  name: "N1: if the runtime hides why connect() failed, replaceStale is Unsupported",
  // Bun reports EAGAIN and EPROTOTYPE as ECONNREFUSED.
  ignore: !("Bun" in globalThis),
  async fn() {
    await using folder = await SocketFolder.make();
    const address = folder.next();
    await leaveStale(address);
    for (const target of [address, folder.next()]) {
      const error = await rejection(
        () => listen(target, { replaceStale: true }),
        "Unsupported",
        "listen",
      );
      assertEquals(error.address, target);
    }
    assertEquals(await folder.names(), [address.path.split("/").at(-1)]);
  },
});

Deno.test("N1: replaceStale leaves a listener alone that answers", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using listener = await listen(address);
  await rejection(() => listen(address, { replaceStale: true }), "AddressInUse", "listen");
  abort(await accept(listener)); // The attempt had to connect.
  await proveReached(listener);
});

Deno.test("N1: listen() leaves a socket for datagrams alone, also with replaceStale", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  const datagrams = Deno.listenDatagram({ transport: "unixpacket", path: address.path });
  await rejection(() => listen(address, { replaceStale: true }), "AddressInUse", "listen");
  const error = await rejection(() => connect(address), "ConnectionRefused", "connect");
  assertEquals(error.code, "EPROTOTYPE");
  assert(Deno.lstatSync(address.path).isSocket);
  datagrams.close();
});

Deno.test("N1: of several listens with replaceStale at once, one gets the path", async () => {
  await using folder = await SocketFolder.make();
  for (let round = 0; round < 20; round++) {
    const address = folder.next();
    await leaveStale(address);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, () => listen(address, { replaceStale: true })),
    );
    const listeners = outcomes.flatMap((one) => one.status === "fulfilled" ? [one.value] : []);
    assertEquals(listeners.length, 1);
    for (const one of outcomes) {
      if (one.status === "rejected") assertEquals(one.reason.kind, "AddressInUse");
    }
    const client = await connect(address);
    abort(client);
    await closeListener(listeners[0]);
  }
});

for (const pending of ["nothing", "an accept", "an iteration"] as const) {
  Deno.test(`N1: with ${pending} pending the path is free when closeListener() resolves`, async () => {
    await using folder = await SocketFolder.make();
    const address = folder.next();
    for (let time = 0; time < 20; time++) {
      const listener = await listen(address);
      const waits = pendOn(listener, pending);
      await closeListener(listener);
      assertEquals(await folder.names(), []);
      await waits;
    }
  });

  Deno.test(`N1: with ${pending} pending a closing listener leaves the file of another one`, async () => {
    await using folder = await SocketFolder.make();
    const address = folder.next();
    for (let time = 0; time < 20; time++) {
      const old = await listen(address);
      const waits = pendOn(old, pending);
      await Deno.remove(address.path);
      await using replacement = await listen(address);
      await closeListener(old);
      await waits;
      await proveReached(replacement);
      assertEquals(await folder.names(), [address.path.split("/").at(-1)]);
    }
    assertEquals(await folder.names(), []);
  });
}

Deno.test("N1: replaceStale puts back what another process has put in place of the stale file", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await leaveStale(address);
  const other = await listen(folder.next());
  const rename = Deno.renameSync;
  // The other process is quicker by the microseconds between the last look at the file and the rename.
  Deno.renameSync = (from, to) => {
    Deno.renameSync = rename;
    rename(other.address.path, from);
    rename(from, to);
  };
  try {
    await rejection(() => listen(address, { replaceStale: true }), "AddressInUse", "listen");
  } finally {
    Deno.renameSync = rename;
  }
  const [client, server] = await Promise.all([connect(address), accept(other)]);
  abort(client);
  abort(server);
  await closeListener(other);
  assertEquals(await folder.names(), [address.path.split("/").at(-1)]);
});

/** Waits on a listener until it is closed. */
async function pendOn(listener: Listener<UnixAddress>, what: string): Promise<void> {
  if (what === "an accept") await rejection(() => accept(listener), "Closed", "accept");
  if (what === "an iteration") { for await (const client of listener) abort(client); }
}

Deno.test("N1: a listener closes in order if its file was removed, moved or replaced by another kind", async () => {
  await using folder = await SocketFolder.make();
  const [removed, moved, replaced] = await Promise.all([0, 1, 2].map(() => listen(folder.next())));
  await Deno.remove(removed.address.path);
  await Deno.rename(moved.address.path, `${folder.path}/elsewhere`);
  await Deno.remove(replaced.address.path);
  await Deno.writeTextFile(replaced.address.path, "precious");
  for (const listener of [removed, moved, replaced]) await closeListener(listener);
  assertEquals(await Deno.readTextFile(replaced.address.path), "precious");
  assertEquals(await folder.names(), ["2.sock", "elsewhere"]);
});

Deno.test("N1: an abstract name needs no file, belongs to one listener, and is free after its close", async () => {
  const address = { path: `\0sockets-${crypto.randomUUID()}` };
  for (let time = 0; time < 3; time++) {
    const listener = await listen(address, { replaceStale: true });
    assertEquals(listener.address, address);
    await proveReached(listener);
    const error = await rejection(() => listen(address), "AddressInUse", "listen");
    assert(error.message.startsWith(`listen unix:@${address.path.slice(1)}: `), error.message);
    await closeListener(listener);
  }
  const error = await rejection(() => connect(address), "ConnectionRefused", "connect");
  assertEquals(error.code, "ECONNREFUSED");
});

for (const [length, reason] of [[106, "on every runtime"], [107, "if the runtime can"]] as const) {
  Deno.test(`N1: an abstract name may have ${length} bytes ${reason}`, async () => {
    const address = { path: `\0${crypto.randomUUID().padEnd(length, "x")}` };
    await using listener = await listen(address);
    assertEquals(listener.address, address);
    await proveReached(listener);
  });
}

Deno.test({
  name: "N1: an abstract name of 107 bytes is Unsupported if the runtime cannot",
  // Bun takes 106.
  ignore: !("Bun" in globalThis),
  async fn() {
    const address = { path: `\0${"x".repeat(107)}` };
    await rejection(() => listen(address), "Unsupported", "listen");
    await rejection(() => connect(address), "Unsupported", "connect");
  },
});

Deno.test("N1: clients that wait when the listener closes are reset", async () => {
  await using folder = await SocketFolder.make();
  const listener = await listen(folder.next());
  await using client = await connect(listener.address);
  await closeListener(listener);
  const end = await recv(client).catch((error) => error.kind);
  assertEquals(end, "ConnectionReset");
});

Deno.test("N1: accepts are served in call order, and a cancelled one loses no client", async () => {
  await using folder = await SocketFolder.make();
  await using listener = await listen(folder.next());
  await rejection(() => accept(listener, { timeout: 1 }), "TimedOut", "accept");
  const aborted = new AbortController();
  const calls = [accept(listener), accept(listener, { signal: aborted.signal }), accept(listener)];
  const cancelled = assertRejects(() => calls[1]);
  aborted.abort();
  await cancelled;
  const clients = [];
  for (const byte of [1, 2]) {
    const client = await connect(listener.address);
    await send(client, new Uint8Array([byte]));
    clients.push(client);
  }
  const servers = await Promise.all([calls[0], calls[2]]);
  assertEquals(await Promise.all(servers.map((one) => recv(one, { maxBytes: 1 }))), [
    new Uint8Array([1]),
    new Uint8Array([2]),
  ]);
  [...clients, ...servers].forEach(abort);
});

Deno.test("N1: sendQueueLimit of listen() holds for accepted connections", async () => {
  await using folder = await SocketFolder.make();
  await using listener = await listen(folder.next(), { sendQueueLimit: 1 });
  await using _client = await connect(listener.address);
  const server = await accept(listener);
  const first = rejection(() => send(server, new Uint8Array(8 << 20)), "Closed", "send");
  await rejection(() => send(server, new Uint8Array(2)), "QueueFull", "send");
  abort(server);
  await first;
});
