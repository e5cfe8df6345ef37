import { turnDue, waitTurn } from "../core/event_loop_turn.ts";
import { startTimer } from "../core/timer.ts";
import { ignoreRejection } from "../core/waiting_calls.ts";
import type { SocketAddress, Transport, TransportAddress, TransportListener } from "../types.ts";

/**
 * Makes a foreign transport behave like the runtime's own: nothing throws synchronously, no count is out of range, a
 * read or write of 0 bytes is tried again after the event loop has turned, and a write ends when the transport is
 * closed. A read does not end so: its buffer may be a caller's, which nobody may write to after the call.
 */
export class CheckedTransport implements Transport {
  readonly closeWrite: (() => Promise<void>) | undefined;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  readonly localAddr: TransportAddress | undefined;
  readonly remoteAddr: TransportAddress | undefined;
  readonly #inner: Transport;
  #isClosed = false;
  /** Ends the write that is under way. */
  #rejectWrite: ((error: Error) => void) | undefined;
  /** End the turns that a read and a write wait for. */
  readonly #turns = new Set<() => void>();

  constructor(inner: Transport) {
    this.#inner = inner;
    // Many sockets forget their addresses when they are closed.
    this.localAddr = inner.localAddr;
    this.remoteAddr = inner.remoteAddr;
    const { closeWrite, ref, unref } = inner;
    this.closeWrite = typeof closeWrite === "function"
      ? async () => await closeWrite.call(inner)
      : undefined;
    const both = typeof ref === "function" && typeof unref === "function";
    this.ref = both ? () => callQuietly(ref, inner) : undefined;
    this.unref = both ? () => callQuietly(unref, inner) : undefined;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const room = buffer.length;
    for (;;) {
      const count = await this.#inner.read(buffer);
      if (count === null) return count;
      // The bytes are in memory that nobody here can see any more.
      if (buffer.length !== room) throw new Error("the buffer to read into was transferred");
      if (checkCount(count, room, "gave") > 0) return count;
      await this.#turn();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const { length } = bytes;
    for (;;) {
      const count = await this.#writeOnce(bytes);
      if (checkCount(count, length, "took") > 0) {
        // A transport that always takes them at once would let a loop of sends keep the event loop.
        if (turnDue()) await waitTurn();
        return count;
      }
      await this.#turn();
    }
  }

  /**
   * Writes until the transport is closed. A race with one promise for all writes would leave 312 bytes at that promise
   * for each write, until the connection ends.
   */
  #writeOnce(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#rejectWrite = reject;
      Promise.resolve(this.#inner.write(bytes)).then(resolve, reject);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#rejectWrite?.(closedError());
    for (const end of this.#turns) end();
    this.#turns.clear();
    // An asynchronous close has nobody to report to: the connection is closed in any case.
    ignoreRejection(this.#inner.close());
  }

  /** Lets the event loop turn. A close ends it, and leaves no timer behind. */
  #turn(): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const stop = startTimer(0, () => {
        this.#turns.delete(end);
        resolve();
      });
      const end = () => {
        stop();
        reject(closedError());
      };
      this.#turns.add(end);
    });
  }
}

/**
 * Makes a foreign listener behave like the runtime's own: nothing throws synchronously, and what it accepts is a
 * transport, which is checked in its turn.
 */
export class CheckedListener implements TransportListener {
  readonly address: SocketAddress;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  readonly #inner: TransportListener;

  /** @param address The address of the listener, which is checked. */
  constructor(inner: TransportListener, address: SocketAddress) {
    this.#inner = inner;
    this.address = address;
    const { ref, unref } = inner;
    const both = typeof ref === "function" && typeof unref === "function";
    this.ref = both ? () => callQuietly(ref, inner) : undefined;
    this.unref = both ? () => callQuietly(unref, inner) : undefined;
  }

  async accept(): Promise<Transport> {
    const transport: unknown = await this.#inner.accept();
    if (!isTransport(transport)) {
      throw new Error("the listener gave no object with read, write and close functions");
    }
    return new CheckedTransport(transport);
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }
}

function closedError(): Error {
  return new Error("the transport was closed");
}

/** Returns true for an object that has the functions of a transport. */
export function isTransport(value: unknown): value is Transport {
  const { read, write, close } = (value ?? {}) as Partial<Transport>;
  return [read, write, close].every((each) => typeof each === "function");
}

/** Calls `ref` or `unref` of a foreign object. If it throws, the process only lives on, or ends, by itself. */
function callQuietly(change: () => void, inner: object): void {
  try {
    ignoreRejection(change.call(inner));
  } catch {
    // The connection or listener can be used, and must be closed, all the same.
  }
}

function checkCount(count: unknown, room: number, verb: string): number {
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= room) {
    return count as number;
  }
  throw new Error(`the transport ${verb} ${String(count)} of ${room} bytes`);
}
