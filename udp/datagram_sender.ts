import type { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import type { Cancellation } from "../core/cancellation.ts";
import type { DatagramBackend } from "../runtime/datagram_backend.ts";
import { LinkedList } from "../core/linked_list.ts";
import { NamedDatagrams } from "./named_datagrams.ts";
import { startDeadline } from "../core/timer.ts";
import { type WaitingDatagram, WaitingDatagrams } from "./waiting_datagrams.ts";

/**
 * Datagrams leave in the order of their calls, one at a time: those that are handed to the runtime at
 * once leave in the order in which it happens to look at them, the last one first.
 */
export class DatagramSender {
  readonly #backend: DatagramBackend;
  readonly #toError: (error: unknown, to: Address) => SocketError;
  readonly #waiting: WaitingDatagrams;
  readonly #turns = new LinkedList<WaitingDatagram>();
  #names: NamedDatagrams | undefined;
  #sending = false;
  /** Where the datagram goes that nobody had to wait for, for its error. */
  #directTo: Address | undefined;
  #direct: Promise<void> | undefined;
  /** The datagram that the runtime has, if it had to wait. */
  #current: WaitingDatagram | undefined;
  #onDrained: (() => void) | undefined;

  constructor(
    backend: DatagramBackend,
    queueLimit: number,
    toError: (error: unknown, to: Address) => SocketError,
  ) {
    this.#backend = backend;
    this.#toError = toError;
    this.#waiting = new WaitingDatagrams(queueLimit, this.#checkDrained);
  }

  /** Sends to an address. */
  send(bytes: Uint8Array, to: Address, cancellation: Cancellation | undefined): Promise<void> {
    if (!this.#sending && cancellation === undefined) {
      this.#sending = true;
      this.#directTo = to;
      return this.#direct = this.#backend.send(bytes, to).then(this.#onSent, this.#onError);
    }
    if (this.#sending) this.#waiting.checkRoom(bytes.length, to);
    // The runtime cannot take a datagram back, so one that can be cancelled is a copy: once the call
    // has settled, the bytes are the caller's again. The slice of a node:buffer would be no copy.
    const own = cancellation === undefined ? bytes : new Uint8Array(bytes);
    const { promise } = this.#waiting.add(this.#turns, own, to, cancellation);
    if (!this.#sending) this.#next();
    return promise;
  }

  /** Sends to a name. */
  sendToName(
    bytes: Uint8Array,
    to: Address,
    cancellation: Cancellation | undefined,
  ): Promise<void> {
    this.#waiting.checkRoom(bytes.length, to);
    this.#names ??= new NamedDatagrams(
      this.#backend,
      this.#waiting,
      this.#toError,
      this.#onResolved,
      this.#checkDrained,
    );
    const list = this.#names.listOf(to.host);
    // A copy always: the caller may have the bytes to itself again long before the name is resolved.
    const { promise } = this.#waiting.add(list, new Uint8Array(bytes), to, cancellation);
    this.#names.resolve(to.host, list);
    return promise;
  }

  /**
   * Resolves once nothing waits any more and no name is looked up, or after `patience` ms; gives nothing if nothing waits now. Nobody needs
   * to be watching what fails from now on, since this side closes.
   */
  drain(patience: number): Promise<void> | undefined {
    if (this.#idle) return undefined;
    this.#direct?.catch(() => {});
    this.#current?.promise.catch(() => {});
    for (const { promise } of this.#all()) promise.catch(() => {});
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopTimer = startDeadline(patience, () => this.#onDrained?.());
    this.#onDrained = () => {
      this.#onDrained = undefined;
      stopTimer();
      resolve();
    };
    return promise;
  }

  /** Rejects what waits. */
  close(error: () => SocketError): void {
    this.#current?.reject(error());
    for (const datagram of [...this.#all()]) this.#waiting.fail(datagram, error());
  }

  get #idle(): boolean {
    return !this.#sending && this.#waiting.empty && (this.#names?.quiet ?? true);
  }

  *#all(): Generator<WaitingDatagram, void, void> {
    yield* this.#turns;
    if (this.#names !== undefined) yield* this.#names;
  }

  readonly #onResolved = (datagram: WaitingDatagram): void => {
    this.#waiting.move(datagram, this.#turns);
    if (!this.#sending) this.#next();
  };

  readonly #checkDrained = (): void => {
    if (this.#idle) this.#onDrained?.();
  };

  readonly #onSent = (): void => {
    this.#sending = false;
    this.#next();
  };

  readonly #onError = (error: unknown): never => {
    const mapped = this.#toError(error, this.#directTo!);
    this.#onSent();
    throw mapped;
  };

  readonly #onTurnSent = (): void => {
    const datagram = this.#current!;
    datagram.stop?.();
    datagram.resolve();
    this.#next();
  };

  readonly #onTurnError = (error: unknown): void => {
    const datagram = this.#current!;
    datagram.stop?.();
    datagram.reject(this.#toError(error, datagram.to));
    this.#next();
  };

  #next(): void {
    const datagram = this.#current = this.#waiting.shift(this.#turns);
    this.#sending = datagram !== undefined;
    if (datagram !== undefined) {
      this.#backend.send(datagram.bytes, datagram.target).then(this.#onTurnSent, this.#onTurnError);
    } else if (this.#onDrained !== undefined) this.#checkDrained();
  }
}
