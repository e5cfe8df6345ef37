import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { assert } from "@std/assert";
import type { UnixAddress } from "../../mod.ts";
import { startHere } from "./own_runtime.ts";
import { soon } from "./socket_errors.ts";

const PROGRAM = "tests/system/programs/unix_echo.ts";

/** A process of the same runtime that echoes on a Unix socket. Disposing kills it. */
export class EchoProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown[]>;

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.#ended = once(child, "exit");
  }

  static async start({ path }: UnixAddress): Promise<EchoProcess> {
    const child = startHere(PROGRAM, [path], ["-A"]);
    // Nobody reads its errors.
    child.stderr!.resume();
    const started = new EchoProcess(child);
    const [output] = await soon(Promise.race([once(child.stdout!, "data"), started.#ended]));
    assert(String(output) === "ready\n", "the process ended at once");
    return started;
  }

  /** Sends a signal. The method of the process itself does nothing after its first signal, on Deno. */
  signal(name: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    process.kill(this.#process.pid!, name);
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.signal("SIGKILL");
    }
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
