import { isStillThere, noLongerThere } from "../bytes/byte_arguments.ts";
import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import { type Cancellation, type Cancelled, cancelledError } from "../core/cancellation.ts";
import type { Linked, LinkedList } from "../core/linked_list.ts";

/**
 * Bytes that a waiting datagram counts beside its payload, so that empty ones are bounded as well. Its record and its
 * promise take 330 bytes of memory, 480 with a handler on the promise.
 */
const OVERHEAD = 256;

/** A datagram that has not been handed to the runtime. */
export interface WaitingDatagram extends Linked<WaitingDatagram> {
  readonly bytes: Uint8Array;
  /** Length of the bytes when the call was made. */
  readonly length: number;
  /** The address that the caller gave, for errors. */
  readonly to: Address;
  /** The address to send to: `to`, or the one that its name stands for. */
  target: Address;
  /** The list that it is in, until it is settled or handed to the runtime. */
  list: LinkedList<WaitingDatagram> | undefined;
  /** Ends the watch on its signal and timeout. */
  stop: (() => void) | undefined;
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: SocketError) => void;
}

let resolveMade: () => void;
let rejectMade: (error: SocketError) => void;
// One executor for all of them: `Promise.withResolvers` makes an object and two closures more a call.
const capture = (resolve: () => void, reject: (error: SocketError) => void) => {
  resolveMade = resolve;
  rejectMade = reject;
};

/** The datagrams of one socket that wait, in whatever list, within the limit of its queue. */
export class WaitingDatagrams {
  readonly #limit: number;
  readonly #onCancel: () => void;
  #bytes = 0;
  #count = 0;

  /** @param onCancel Called after a datagram was taken out because its call was cancelled. */
  constructor(limit: number, onCancel: () => void) {
    this.#limit = limit;
    this.#onCancel = onCancel;
  }

  get empty(): boolean {
    return this.#count === 0;
  }

  /** Throws `QueueFull` if a datagram of this length does not fit beside those that wait. */
  checkRoom(length: number, to: Address): void {
    if (this.#bytes + length + OVERHEAD <= this.#limit) return;
    throw new SocketError(
      "QueueFull",
      "sendTo",
      `datagrams of ${this.#bytes} bytes wait already, ${length + OVERHEAD} more would pass the ` +
        `limit of ${this.#limit}`,
      { address: to },
    );
  }

  /** Appends a datagram to a list. It throws if the call is cancelled already. */
  add(
    list: LinkedList<WaitingDatagram>,
    bytes: Uint8Array,
    to: Address,
    cancellation: Cancellation | undefined,
  ): WaitingDatagram {
    const promise = new Promise<void>(capture);
    const datagram: WaitingDatagram = {
      bytes,
      length: bytes.length,
      to,
      target: to,
      list,
      stop: undefined,
      promise,
      resolve: resolveMade,
      reject: rejectMade,
      previous: undefined,
      next: undefined,
    };
    if (cancellation !== undefined) datagram.stop = this.#watch(datagram, cancellation);
    this.#bytes += bytes.length + OVERHEAD;
    this.#count += 1;
    list.push(datagram);
    return datagram;
  }

  /** Takes a datagram out of its list, if it is in one still. */
  remove(datagram: WaitingDatagram): void {
    if (datagram.list === undefined) return;
    datagram.list.remove(datagram);
    datagram.list = undefined;
    this.#bytes -= datagram.length + OVERHEAD;
    this.#count -= 1;
  }

  /** Appends a datagram of another list to this one. */
  move(datagram: WaitingDatagram, list: LinkedList<WaitingDatagram>): void {
    datagram.list?.remove(datagram);
    datagram.list = list;
    list.push(datagram);
  }

  /** Takes out the first of a list. One whose buffer was transferred meanwhile fails alone; it has no `stop`. */
  shift(list: LinkedList<WaitingDatagram>): WaitingDatagram | undefined {
    for (let datagram = list.first; datagram !== undefined; datagram = list.first) {
      this.remove(datagram);
      if (isStillThere(datagram.bytes, datagram.length)) return datagram;
      datagram.reject(noLongerThere());
    }
    return undefined;
  }

  /** Takes a datagram out and rejects its call. */
  fail(datagram: WaitingDatagram, error: SocketError): void {
    this.remove(datagram);
    datagram.stop?.();
    datagram.reject(error);
  }

  #watch(datagram: WaitingDatagram, cancellation: Cancellation): () => void {
    return cancellation.watch((why: Cancelled) => {
      this.remove(datagram);
      datagram.reject(cancelledError(why, "sendTo", datagram.to));
      this.#onCancel();
    }, datagram.to);
  }
}
