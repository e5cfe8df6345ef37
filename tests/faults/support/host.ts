import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import type { SocketErrorKind } from "../../../mod.ts";
import type { Failure } from "../programs/failure.ts";
import type { Commands, Reply } from "../programs/host.ts";
import { Process } from "./process.ts";
import { SEED, STABLE } from "./run.ts";

const PROGRAM = new URL("../programs/host.ts", import.meta.url).pathname;
/** A command that takes longer hangs (ms). */
const COMMAND_TIMEOUT_MS = 45_000;

export interface HostOptions {
  /** The words of a command that runs the program, such as `strace …`. */
  readonly under?: readonly string[];
  /** Flags of `deno run`. `--unstable-net` selects the backend of UDP. */
  readonly flags?: readonly string[];
  /** True if the host will run out of descriptors, so that the runtime opens the ones it needs in advance. */
  readonly scarce?: boolean;
}

type Values<Name extends keyof Commands> = Parameters<Commands[Name]>[0];
type Given<Name extends keyof Commands> = Awaited<ReturnType<Commands[Name]>>;

/** A process in a network namespace that runs commands with the public functions. */
export class Host implements AsyncDisposable {
  readonly #process: Process;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  #orders = 0;
  #ended = false;

  private constructor(process: Process) {
    this.#process = process;
    // The program sends reply 0 after it has started.
    this.#waiting.set(0, Promise.withResolvers());
    void this.#listen();
  }

  static async start(
    space: string,
    { under = [], flags = [], scarce = false }: HostOptions,
  ): Promise<Host> {
    const deno = [Deno.execPath(), "run", "-A", ...STABLE, "--no-check", ...flags];
    const program = [...under, ...deno, PROGRAM, String(SEED)];
    const host = new Host(new Process("ip", ["netns", "exec", space, ...program]));
    await host.#reply(0);
    if (scarce) await host.do("openSignals");
    await host.do("begin");
    return host;
  }

  /** The standard error of the process and of the command that runs it. */
  get errors(): string {
    return this.#process.errors;
  }

  /** Runs a command that must succeed, and returns its result. */
  do<Name extends keyof Commands>(
    name: Name,
    ...[values]: Values<Name> extends undefined ? [] : [Values<Name>]
  ): Promise<Given<Name>> {
    return handled(
      this.#order(name, values).then(({ failure, value }) => {
        if (failure !== undefined) throw new Error(`${name}: ${failure.kind}: ${failure.message}`);
        return value as Given<Name>;
      }),
    );
  }

  /** Runs a command that may fail, and returns its failure, if any. */
  attempt<Name extends keyof Commands>(
    name: Name,
    values: Values<Name>,
  ): Promise<Failure | undefined> {
    return handled(this.#order(name, values).then(({ failure }) => failure));
  }

  /** Runs a command that must fail with a kind, and returns its failure. */
  fails<Name extends keyof Commands>(
    kind: SocketErrorKind,
    name: Name,
    values: Values<Name>,
  ): Promise<Failure> {
    return handled(
      this.attempt(name, values).then((failure) => {
        assert(failure !== undefined, `${name} succeeded`);
        assertEquals(failure.kind, kind, failure.message);
        return failure;
      }),
    );
  }

  /** Stops, continues or kills the process. */
  signal(signal: Deno.Signal): void {
    this.#process.signal(signal);
  }

  /** Checks that the host has closed everything that it opened, and had no unhandled rejection. */
  async proveClean(): Promise<void> {
    if (this.#ended) return;
    assertEquals(await this.do("leftovers"), { unhandled: [], descriptors: [] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.signal("SIGCONT");
    await this.#process[Symbol.asyncDispose]();
  }

  async #order(command: string, values: unknown): Promise<Reply> {
    const id = ++this.#orders;
    const waiting = Promise.withResolvers<Reply>();
    this.#waiting.set(id, waiting);
    if (this.#ended) waiting.reject(new Error("the host has ended"));
    // If the process has ended meanwhile, the reply rejects.
    await this.#process.write(JSON.stringify({ id, command, values })).catch(() => {});
    return await this.#reply(id, command);
  }

  async #reply(id: number, command = "start"): Promise<Reply> {
    try {
      const reply = await deadline(this.#waiting.get(id)!.promise, COMMAND_TIMEOUT_MS);
      if (reply.raw !== undefined) throw new Error(`raw: ${reply.raw}`);
      return reply;
    } catch (cause) {
      throw new Error(`${command} did not end: ${this.errors.slice(-2000)}`, { cause });
    } finally {
      this.#waiting.delete(id);
    }
  }

  async #listen(): Promise<void> {
    for await (const line of this.#process.lines) {
      const reply: Reply = JSON.parse(line);
      this.#waiting.get(reply.id)?.resolve(reply);
    }
    this.#ended = true;
    for (const { promise, reject } of this.#waiting.values()) {
      promise.catch(() => {});
      reject(new Error("the host has ended"));
    }
  }
}

/**
 * Prevents an unhandled rejection. A test that fails earlier does not await this promise, and its own error must
 * show.
 */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
