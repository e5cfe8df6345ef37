import type { Address } from "../types.ts";
import { type Cancellation, type Cancelled, cancelledError } from "./cancellation.ts";
import type { DatagramBackend } from "./datagram_backend.ts";
import { isStillThere, noLongerThere } from "./datagram_bytes.ts";
import type { SocketError } from "../errors.ts";

/** A datagram that waits for the ones before it. */
interface WaitingDatagram {
  readonly bytes: Uint8Array;
  /** Of the bytes when the call was made. */
  readonly length: number;
  readonly to: Address;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: SocketError) => void;
  stop: (() => void) | undefined;
}

/**
 * Datagrams leave in the order of their calls, one at a time: those that are handed to the runtime at
 * once leave in the order in which it happens to look at them, the last one first.
 */
export class SendTurns {
  readonly #backend: DatagramBackend;
  readonly #toError: (error: unknown, to: Address) => SocketError;
  // A Set keeps the order of insertion and takes a cancelled one out of the middle at once.
  readonly #waiting = new Set<WaitingDatagram>();
  #sending = false;
  /** Where the datagram goes that nobody had to wait for, for its error. */
  #directTo: Address | undefined;
  #direct: Promise<void> | undefined;
  /** What the runtime has of those that had to wait. */
  #current: WaitingDatagram | undefined;

  constructor(
    backend: DatagramBackend,
    toError: (error: unknown, to: Address) => SocketError,
  ) {
    this.#backend = backend;
    this.#toError = toError;
  }

  send(bytes: Uint8Array, to: Address, cancellation: Cancellation | undefined): Promise<void> {
    if (!this.#sending && cancellation === undefined) {
      this.#sending = true;
      this.#directTo = to;
      return this.#direct = this.#backend.send(bytes, to).then(this.#onSent, this.#onError);
    }
    return this.#wait(bytes, to, cancellation);
  }

  /** Rejects what waits; nobody needs to be watching that, since this side closes. */
  close(error: () => SocketError): void {
    this.#direct?.catch(() => {});
    this.#current?.promise.catch(() => {});
    for (const { promise, stop, reject } of this.#waiting) {
      promise.catch(() => {});
      stop?.();
      reject(error());
    }
    this.#waiting.clear();
  }

  #wait(bytes: Uint8Array, to: Address, cancellation: Cancellation | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // The runtime cannot take a datagram back, so one that can be cancelled is a copy: once the call
    // has settled, the bytes are the caller's again. The slice of a node:buffer would be no copy.
    const own = cancellation === undefined ? bytes : new Uint8Array(bytes);
    const datagram: WaitingDatagram = {
      bytes: own,
      length: own.length,
      to,
      promise,
      resolve,
      reject,
      stop: undefined,
    };
    datagram.stop = cancellation?.watch((why: Cancelled) => {
      this.#waiting.delete(datagram);
      reject(cancelledError(why, "sendTo", to));
    }, to);
    this.#waiting.add(datagram);
    if (!this.#sending) this.#next();
    return promise;
  }

  readonly #onSent = (): void => {
    this.#sending = false;
    this.#next();
  };

  readonly #onError = (error: unknown): never => {
    const mapped = this.#toError(error, this.#directTo!);
    this.#onSent();
    throw mapped;
  };

  #next(): void {
    const datagram = this.#front();
    if (datagram === undefined) return;
    this.#sending = true;
    this.#current = datagram;
    this.#backend.send(datagram.bytes, datagram.to).then(() => {
      datagram.stop?.();
      datagram.resolve();
    }, (error) => {
      datagram.stop?.();
      datagram.reject(this.#toError(error, datagram.to));
    }).then(this.#onSent);
  }

  /** The next to be sent. One whose buffer was transferred while it waited fails alone; it has no `stop`. */
  #front(): WaitingDatagram | undefined {
    for (const datagram of this.#waiting) {
      this.#waiting.delete(datagram);
      if (isStillThere(datagram.bytes, datagram.length)) return datagram;
      datagram.reject(noLongerThere());
    }
    return undefined;
  }
}
