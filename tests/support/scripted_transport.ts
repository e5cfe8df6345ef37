import type { Transport, TransportAddress } from "../../mod.ts";

/** A read of the connection, which the test answers. */
export interface PendingRead {
  /** The buffer to fill. */
  readonly buffer: Uint8Array;
  give(bytes: Uint8Array): void;
  end(): void;
  fail(error: unknown): void;
}

/** A write of the connection, which the test answers. */
export interface PendingWrite {
  /** A copy of the bytes at the time of the call. */
  readonly bytes: Uint8Array;
  take(count?: number): void;
  fail(error: unknown): void;
}

export interface ScriptOptions {
  /** Makes `close` leave pending calls pending, as a slow transport does. */
  readonly deafToClose?: boolean;
  readonly withoutCloseWrite?: boolean;
  readonly localAddr?: TransportAddress;
  readonly remoteAddr?: TransportAddress;
}

/** A queue of calls of one kind. Either calls wait for the test, or the test waits for a call. */
class Calls<T> {
  count = 0;
  readonly #waiting: T[] = [];
  #wanted: ((call: T) => void) | undefined;

  push(call: T): void {
    this.count++;
    if (this.#wanted === undefined) this.#waiting.push(call);
    else this.#wanted(call);
    this.#wanted = undefined;
  }

  next(): Promise<T> {
    const call = this.#waiting.shift();
    if (call !== undefined) return Promise.resolve(call);
    return new Promise((resolve) => this.#wanted = resolve);
  }
}

/**
 * A transport that the test controls. It records each call, also in `log`, and the call stays pending until the test
 * answers it. Like the runtime's own, its `close` ends the pending calls.
 */
export class ScriptedTransport implements Transport {
  readonly localAddr: TransportAddress | undefined;
  readonly remoteAddr: TransportAddress | undefined;
  /** The calls in order: `read`, `write 5`, `closeWrite`, `close`. */
  readonly log: string[] = [];
  readonly closeWrite: (() => Promise<void>) | undefined;
  /** The implementation of `closeWrite`. */
  onCloseWrite: () => Promise<void> = () => Promise.resolve();
  readonly #reads = new Calls<PendingRead>();
  readonly #writes = new Calls<PendingWrite>();
  readonly #deaf: boolean;
  readonly #cancel = new Set<(error: unknown) => void>();

  constructor(options: ScriptOptions = {}) {
    this.localAddr = options.localAddr;
    this.remoteAddr = options.remoteAddr;
    this.#deaf = options.deafToClose ?? false;
    this.closeWrite = options.withoutCloseWrite ? undefined : () => {
      this.log.push("closeWrite");
      return this.onCloseWrite();
    };
  }

  read(buffer: Uint8Array): Promise<number | null> {
    this.log.push("read");
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    this.#cancel.add(reject);
    this.#reads.push({
      buffer,
      give(bytes): void {
        buffer.set(bytes);
        resolve(bytes.length);
      },
      end: () => resolve(null),
      fail: reject,
    });
    return promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.log.push(`write ${bytes.length}`);
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#cancel.add(reject);
    this.#writes.push({
      bytes: bytes.slice(),
      take: (count = bytes.length) => resolve(count),
      fail: reject,
    });
    return promise;
  }

  close(): void {
    this.log.push("close");
    if (this.#deaf) return;
    const error = new Deno.errors.Interrupted("operation canceled");
    for (const reject of this.#cancel) reject(error);
  }

  /** Waits for the next read that the test has not seen yet. */
  nextRead(): Promise<PendingRead> {
    return this.#reads.next();
  }

  /** Waits for the next write that the test has not seen yet. */
  nextWrite(): Promise<PendingWrite> {
    return this.#writes.next();
  }

  get reads(): number {
    return this.#reads.count;
  }

  get writes(): number {
    return this.#writes.count;
  }
}
