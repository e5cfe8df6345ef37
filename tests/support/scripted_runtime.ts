/** Replaces a function of the runtime until the result is disposed of. */
function replace<Name extends "listen" | "connect">(
  name: Name,
  replacement: (options: unknown) => unknown,
): Disposable {
  const real = Deno[name];
  Object.assign(Deno, { [name]: replacement });
  return { [Symbol.dispose]: () => void Object.assign(Deno, { [name]: real }) };
}

/** Stands in for the runtime's connection. Only its settings and its end matter. */
export class ScriptedConn {
  readonly localAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  readonly remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 2 };
  /** The calls of its methods, in order. */
  readonly log: string[] = [];
  readonly #ended = Promise.withResolvers<null>();

  setNoDelay(on: boolean): void {
    this.log.push(`noDelay ${on}`);
  }

  setKeepAlive(on: boolean): void {
    this.log.push(`keepAlive ${on}`);
  }

  read(): Promise<null> {
    return this.#ended.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  /** Ends the sending side, and the peer's at once. */
  closeWrite(): Promise<void> {
    this.#ended.resolve(null);
    return Promise.resolve();
  }

  close(): void {
    this.log.push("close");
    this.#ended.resolve(null);
  }
}

type Outcome = ScriptedConn | Error;

/** Failures of a listener after which it stays pending, so that code that spins comes to an end. */
const MOST_FAILURES = 1000;

/** Stands in for the runtime's listener. Each accept takes the next outcome; without one it stays pending. */
export class ScriptedListener implements Disposable {
  readonly addr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 3 };
  /** Number of accepts. */
  accepts = 0;
  readonly #outcomes: Outcome[];
  readonly #fallback: (() => Error) | undefined;
  readonly #closed = Promise.withResolvers<never>();
  readonly #installed: Disposable;
  #wanted: ((outcome: Outcome) => void) | undefined;

  /** @param fallback Makes the error of each accept after the outcomes are used up. */
  constructor(outcomes: Outcome[], fallback?: () => Error) {
    this.#outcomes = [...outcomes];
    this.#fallback = fallback;
    this.#closed.promise.catch(() => {});
    this.#installed = replace("listen", () => this);
  }

  accept(): Promise<ScriptedConn> {
    this.accepts++;
    const outcome = this.#outcomes.shift() ??
      (this.accepts < MOST_FAILURES ? this.#fallback?.() : undefined);
    if (outcome !== undefined) return settle(outcome);
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.#wanted = resolve;
    return Promise.race([promise.then(settle), this.#closed.promise]);
  }

  /** Answers the pending accept, or the next one. */
  give(outcome: Outcome): void {
    if (this.#wanted === undefined) this.#outcomes.push(outcome);
    else this.#wanted(outcome);
    this.#wanted = undefined;
  }

  close(): void {
    this.#closed.reject(new Deno.errors.BadResource("Listener has been closed"));
  }

  [Symbol.dispose](): void {
    this.#installed[Symbol.dispose]();
  }
}

function settle(outcome: Outcome): Promise<ScriptedConn> {
  return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
}

/** Stands in for the runtime's connect. The test answers it, whatever its signal says. */
export class ScriptedConnect implements Disposable {
  /** Number of calls. */
  calls = 0;
  /** The signal of the last call. */
  signal: AbortSignal | undefined;
  readonly #outcome = Promise.withResolvers<ScriptedConn>();
  readonly #installed: Disposable;

  constructor() {
    this.#installed = replace("connect", (options) => {
      this.calls++;
      this.signal = (options as { signal?: AbortSignal }).signal;
      return this.#outcome.promise;
    });
  }

  succeed(conn: ScriptedConn): void {
    this.#outcome.resolve(conn);
  }

  fail(error: Error): void {
    this.#outcome.reject(error);
  }

  [Symbol.dispose](): void {
    this.#installed[Symbol.dispose]();
  }
}
