/** Faults of the process at the other end of a Unix socket. */
import { assert, assertEquals } from "@std/assert";
import {
  abort,
  close,
  closeListener,
  connect,
  listen,
  recv,
  recvExactly,
  send,
  type SocketError,
  type UnixAddress,
} from "../../mod.ts";
import { rejection, soon } from "../support/socket_errors.ts";
import { SocketFolder } from "../support/unix_sockets.ts";

const ROOT = new URL("../../", import.meta.url);
const PROGRAM = new URL("programs/unix_echo.ts", import.meta.url).pathname;
/** More bytes than a pair of Unix sockets holds. */
const LARGE_BYTES = 32 * 1024 * 1024;

/** A process that echoes on a Unix socket. Disposing kills it. */
class EchoProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
  }

  static async start({ path }: UnixAddress): Promise<EchoProcess> {
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", PROGRAM, path],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = process.stdout.getReader();
    const { done } = await soon(reader.read());
    await reader.cancel();
    assert(!done, "the process ended at once");
    return new EchoProcess(process);
  }

  signal(name: Deno.Signal): void {
    this.#process.kill(name);
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
  }
}

Deno.test("N1: a killed server ends its clients, and the next one replaces the file that it leaves", async () => {
  await using folder = await SocketFolder.make();
  const address = folder.next();
  await using server = await EchoProcess.start(address);
  const [idle, busy] = await Promise.all([connect(address), connect(address)]);
  await send(idle, new Uint8Array([1]));
  assertEquals(await recvExactly(idle, 1), new Uint8Array([1]));
  const sending = send(busy, new Uint8Array(LARGE_BYTES)).then(() => undefined, (error) => error);
  await rejection(() => listen(address, { replaceStale: true }), "AddressInUse", "listen");
  await server.kill();
  const broken: SocketError | undefined = await soon(sending);
  assert(broken !== undefined && ["BrokenPipe", "ConnectionReset"].includes(broken.kind));
  assert(broken.bytesSent! < LARGE_BYTES);
  assertEquals(await soon(recv(idle)), null);
  [idle, busy].forEach(abort);

  const refused = await rejection(() => connect(address), "ConnectionRefused", "connect");
  assertEquals(refused.code, "ECONNREFUSED");
  await rejection(() => listen(address), "AddressInUse", "listen");
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
