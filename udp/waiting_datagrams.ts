import { isStillThere, noLongerThere } from "../bytes/byte_arguments.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import { type Cancellation, cancelledError } from "../core/cancellation.ts";
import { type Deferred, deferred, type Linked, type LinkedList } from "../core/waiting_calls.ts";

/**
 * Bytes that a waiting datagram counts beside its payload, so that empty ones are bounded as well. Its record and its
 * promise take 330 bytes of memory, 480 with a handler on the promise.
 */
const WAITING_OVERHEAD_BYTES = 256;

/** A datagram that the backend does not have yet. */
export interface WaitingDatagram extends Deferred<void>, Linked<WaitingDatagram> {
  readonly bytes: Uint8Array;
  /** Length of the bytes when the call was made. */
  readonly length: number;
  /** The address that the caller gave, for errors. */
  readonly to: Address;
  /** The address to send to: `to`, or the one behind its name. */
  target: Address;
  /** The list that holds it; undefined once it is settled or the backend has it. */
  list: LinkedList<WaitingDatagram> | undefined;
  /** Ends the watch on its signal and timeout. */
  stop: (() => void) | undefined;
}

/** The waiting datagrams of one socket, in several lists but under one limit. */
export class WaitingDatagrams {
  readonly #limit: number;
  readonly #onCancel: () => void;
  #bytes = 0;
  #count = 0;

  /**
   * @param limit The most bytes that may wait, overhead included.
   * @param onCancel Called after a datagram left because its call was cancelled.
   */
  constructor(limit: number, onCancel: () => void) {
    this.#limit = limit;
    this.#onCancel = onCancel;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** Throws `QueueFull` if a datagram of this length does not fit beside those that wait. */
  checkRoom(length: number, to: Address): void {
    const cost = length + WAITING_OVERHEAD_BYTES;
    if (this.#bytes + cost <= this.#limit) return;
    const reason = `datagrams of ${this.#bytes} bytes wait already, ${cost} more would pass the ` +
      `limit of ${this.#limit}`;
    throw new SocketError("QueueFull", "sendTo", reason, { address: to });
  }

  /** Appends a datagram to a list. Throws if the call is cancelled already. */
  add(
    list: LinkedList<WaitingDatagram>,
    bytes: Uint8Array,
    to: Address,
    cancellation: Cancellation | undefined,
  ): Promise<void> {
    const { promise, resolve, reject } = deferred<void>();
    const datagram: WaitingDatagram = {
      bytes,
      length: bytes.length,
      to,
      target: to,
      list,
      stop: undefined,
      promise,
      resolve,
      reject,
      previous: undefined,
      next: undefined,
    };
    datagram.stop = cancellation?.watch((why) => {
      this.remove(datagram);
      datagram.reject(cancelledError(why, "sendTo", to));
      this.#onCancel();
    }, to);
    this.#bytes += datagram.length + WAITING_OVERHEAD_BYTES;
    this.#count += 1;
    list.push(datagram);
    return promise;
  }

  /** Takes a datagram out of its list, if it is still in one. */
  remove(datagram: WaitingDatagram): void {
    if (datagram.list === undefined) return;
    datagram.list.remove(datagram);
    datagram.list = undefined;
    this.#bytes -= datagram.length + WAITING_OVERHEAD_BYTES;
    this.#count -= 1;
  }

  /** Moves a datagram from its list to the end of another. */
  move(datagram: WaitingDatagram, list: LinkedList<WaitingDatagram>): void {
    datagram.list?.remove(datagram);
    datagram.list = list;
    list.push(datagram);
  }

  /** Takes out the first datagram of a list. One whose buffer was transferred meanwhile only rejects. */
  shift(list: LinkedList<WaitingDatagram>): WaitingDatagram | undefined {
    for (let datagram = list.first; datagram !== undefined; datagram = list.first) {
      if (isStillThere(datagram.bytes, datagram.length)) {
        this.remove(datagram);
        return datagram;
      }
      this.fail(datagram, noLongerThere());
    }
    return undefined;
  }

  /** Takes a datagram out of its list and resolves its call. */
  succeed(datagram: WaitingDatagram): void {
    this.remove(datagram);
    datagram.stop?.();
    datagram.resolve();
  }

  /** Takes a datagram out of its list and rejects its call. */
  fail(datagram: WaitingDatagram, error: SocketError): void {
    this.remove(datagram);
    datagram.stop?.();
    datagram.reject(error);
  }
}
