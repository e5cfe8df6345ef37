import type { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import type { Cancellation } from "../core/cancellation.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { LinkedList } from "../core/waiting_calls.ts";
import { startDeadline } from "../core/timer.ts";
import type { DatagramSocket } from "../runtime/backend.ts";
import { NamedDatagrams, type NameUser } from "./named_datagrams.ts";
import { type WaitingDatagram, WaitingDatagrams } from "./waiting_datagrams.ts";

/**
 * Sends datagrams in the order of their calls, one at a time: the runtime reorders those that it is given at once,
 * the last one first.
 */
export class DatagramSender implements NameUser {
  readonly #socket: DatagramSocket;
  readonly #waiting: WaitingDatagrams;
  /** The datagrams that wait for their turn; those that wait for a name are in `#names`. */
  readonly #turns = new LinkedList<WaitingDatagram>();
  #names: NamedDatagrams | undefined;
  #sending = false;
  /** The target of the datagram that was sent without waiting, for its error. */
  #directTo: Address | undefined;
  #direct: Promise<void> | undefined;
  /** The datagram that the backend has, if it had to wait. */
  #current: WaitingDatagram | undefined;
  #onDrained: (() => void) | undefined;
  /** Makes the error of everything that fails after {@linkcode close}. */
  #closedError: (() => SocketError) | undefined;

  constructor(socket: DatagramSocket, queueLimit: number) {
    this.#socket = socket;
    this.#waiting = new WaitingDatagrams(queueLimit, this.#checkDrained);
  }

  /** Sends to an address. */
  send(bytes: Uint8Array, to: Address, cancellation: Cancellation | undefined): Promise<void> {
    if (!this.#sending && cancellation === undefined) {
      this.#sending = true;
      this.#directTo = to;
      return this.#direct = this.#socket.send(bytes, to).then(this.#onSent, this.#onError);
    }
    if (this.#sending) this.#waiting.checkRoom(bytes.length, to);
    // The runtime cannot take a datagram back. One that can be cancelled is a copy, since the bytes belong to the
    // caller again after the call. `slice` of a node:buffer would make no copy.
    const own = cancellation === undefined ? bytes : new Uint8Array(bytes);
    const sent = this.#waiting.add(this.#turns, own, to, cancellation);
    if (!this.#sending) this.#sendNext();
    return sent;
  }

  /** Sends to a name. */
  sendToName(
    bytes: Uint8Array,
    to: Address,
    cancellation: Cancellation | undefined,
  ): Promise<void> {
    this.#waiting.checkRoom(bytes.length, to);
    this.#names ??= new NamedDatagrams(this.#socket, this.#waiting, this);
    const list = this.#names.listOf(to.host);
    // Always a copy, taken within the call: a lookup may last for seconds.
    const sent = this.#waiting.add(list, new Uint8Array(bytes), to, cancellation);
    this.#names.resolve(to.host, list);
    return sent;
  }

  /**
   * Resolves after nothing waits and no name is looked up any more, or after `patienceMs`. Gives nothing if that holds
   * already. From now on failures need no handler, since this side closes.
   */
  drain(patienceMs: number): Promise<void> | undefined {
    if (this.#idle) return undefined;
    this.#direct?.catch(() => {});
    this.#current?.promise.catch(() => {});
    for (const { promise } of this.#all()) promise.catch(() => {});
    const { promise, resolve } = Promise.withResolvers<void>();
    const stopTimer = startDeadline(patienceMs, () => this.#onDrained?.());
    this.#onDrained = () => {
      this.#onDrained = undefined;
      stopTimer();
      resolve();
    };
    return promise;
  }

  /** Rejects everything that has not been sent. */
  close(closedError: () => SocketError): void {
    this.#closedError = closedError;
    this.#current?.reject(closedError());
    for (const datagram of [...this.#all()]) this.#waiting.fail(datagram, closedError());
  }

  toError(error: unknown, to: Address, target: Address): SocketError {
    if (this.#closedError !== undefined) return this.#closedError();
    const explained = this.#socket.explainSendFailure(error, target);
    return toSocketError(explained, "sendTo", { address: to });
  }

  onResolved(datagram: WaitingDatagram): void {
    this.#waiting.move(datagram, this.#turns);
    if (!this.#sending) this.#sendNext();
  }

  onNameDone(): void {
    this.#checkDrained();
  }

  get #idle(): boolean {
    return !this.#sending && this.#waiting.empty && (this.#names?.idle ?? true);
  }

  *#all(): Generator<WaitingDatagram, void, void> {
    yield* this.#turns;
    if (this.#names !== undefined) yield* this.#names;
  }

  readonly #checkDrained = (): void => {
    if (this.#onDrained !== undefined && this.#idle) this.#onDrained();
  };

  readonly #onSent = (): void => {
    this.#sendNext();
  };

  readonly #onError = (error: unknown): never => {
    const to = this.#directTo!;
    const mapped = this.toError(error, to, to);
    this.#sendNext();
    throw mapped;
  };

  readonly #onTurnSent = (): void => {
    this.#waiting.succeed(this.#current!);
    this.#sendNext();
  };

  readonly #onTurnError = (error: unknown): void => {
    const datagram = this.#current!;
    this.#waiting.fail(datagram, this.toError(error, datagram.to, datagram.target));
    this.#sendNext();
  };

  #sendNext(): void {
    const datagram = this.#current = this.#waiting.shift(this.#turns);
    this.#sending = datagram !== undefined;
    if (datagram === undefined) this.#checkDrained();
    else {
      this.#socket.send(datagram.bytes, datagram.target).then(this.#onTurnSent, this.#onTurnError);
    }
  }
}
