import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import type { SocketErrorKind } from "../../../mod.ts";
import type { Failure } from "../programs/failure.ts";
import type { Commands, Reply } from "../programs/host.ts";
import { Process } from "./process.ts";
import { SEED, STABLE } from "./run.ts";

const PROGRAM = new URL("../programs/host.ts", import.meta.url).pathname;
/** What has not ended by then hangs. */
const CAP = 45_000;

export interface HostOptions {
  /** A command that runs the command after it: `strace …`. */
  readonly under?: readonly string[];
  /** Flags of `deno run`: `--unstable-net` decides on what UDP runs. */
  readonly flags?: readonly string[];
  /** It will run out of descriptors: what the runtime must have, it opens before. */
  readonly scarce?: boolean;
}

type Values<Name extends keyof Commands> = Parameters<Commands[Name]>[0];
type Given<Name extends keyof Commands> = Awaited<ReturnType<Commands[Name]>>;

/** A process in a network namespace, which does with the public functions what it is told to. */
export class Host implements AsyncDisposable {
  readonly #process: Process;
  readonly #waiting = new Map<number, PromiseWithResolvers<Reply>>();
  #orders = 0;
  #ended = false;

  private constructor(process: Process) {
    this.#process = process;
    // The program itself says when it is there.
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

  /** What the process and those around it have written to standard error. */
  get errors(): string {
    return this.#process.errors;
  }

  /** Tells it to do something that must go well. */
  do<Name extends keyof Commands>(
    name: Name,
    ...[values]: Values<Name> extends undefined ? [] : [Values<Name>]
  ): Promise<Given<Name>> {
    return heard(
      this.#order(name, values).then(({ failure, value }) => {
        if (failure !== undefined) throw new Error(`${name}: ${failure.kind}: ${failure.message}`);
        return value as Given<Name>;
      }),
    );
  }

  /** Tells it to do something that may fail: then it gives how. */
  attempt<Name extends keyof Commands>(
    name: Name,
    values: Values<Name>,
  ): Promise<Failure | undefined> {
    return heard(this.#order(name, values).then(({ failure }) => failure));
  }

  /** Tells it to do something that must fail, in this way. */
  fails<Name extends keyof Commands>(
    kind: SocketErrorKind,
    name: Name,
    values: Values<Name>,
  ): Promise<Failure> {
    return heard(
      this.attempt(name, values).then((failure) => {
        assert(failure !== undefined, `${name} went well`);
        assertEquals(failure.kind, kind, failure.message);
        return failure;
      }),
    );
  }

  /** Stops, continues or kills the process itself, which is the runtime. */
  signal(signal: Deno.Signal): void {
    this.#process.signal(signal);
  }

  /** It has let go of all that it opened, and nothing was rejected without anybody to hear of it. */
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
    // Where it has ended meanwhile, the reply says so.
    await this.#process.write(JSON.stringify({ id, command, values })).catch(() => {});
    return await this.#reply(id, command);
  }

  async #reply(id: number, command = "start"): Promise<Reply> {
    try {
      const reply = await deadline(this.#waiting.get(id)!.promise, CAP);
      if (reply.raw !== undefined) throw new Error(`raw: ${reply.raw}`);
      return reply;
    } catch (cause) {
      throw new Error(`${command} came to nothing: ${this.errors.slice(-2000)}`, { cause });
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

/** A test that fails elsewhere does not come to await this one: that must not hide why it failed. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
