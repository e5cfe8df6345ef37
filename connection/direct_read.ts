import type { ConnectionState } from "./connection_state.ts";
import { afterTurn, turnDue } from "../core/event_loop_turn.ts";

/** What it asks of the direction that it is a part of. */
export interface StraightReader {
  /** Calls `tell` when an end of stream can be trusted. */
  confirmEnd<T>(tell: () => T): T | Promise<T>;
  /** A read has ended on a connection that this side closes. */
  onOver(): void;
  /** A straight read has begun, or has ended. */
  callsChanged(): void;
}

/**
 * A read straight into a caller's buffer, for `recvInto` that nothing can cancel. It settles only when
 * the runtime's read has ended, since nobody may write to a buffer whose call has settled.
 */
export class DirectRead {
  /** The call that waits, if there is one. */
  pending: Promise<number | null> | undefined;
  readonly #state: ConnectionState;
  readonly #receiver: StraightReader;

  constructor(state: ConnectionState, receiver: StraightReader) {
    this.#state = state;
    this.#receiver = receiver;
  }

  read(target: Uint8Array): Promise<number | null> {
    this.pending = this.#state.transport.read(target).then(this.#onRead, this.#onError);
    this.#receiver.callsChanged();
    return this.pending;
  }

  readonly #onRead = (count: number | null): number | null | Promise<number | null> => {
    if (count === null) return this.#receiver.confirmEnd(this.#onEnd);
    if (!turnDue()) return this.#give(count);
    // The buffer is the caller's: the call stays pending, so that nobody else reads meanwhile.
    return new Promise<void>((resolve) => afterTurn({ onTurn: resolve })).then(() =>
      this.#give(count)
    );
  };

  #give(count: number): number {
    this.#finish();
    this.#state.bytesReceived += count;
    return count;
  }

  readonly #onEnd = (): null => {
    if (this.#state.breakage !== undefined) return this.#fail();
    if (!this.#state.dropped) this.#state.endReceiving();
    this.#finish();
    return null;
  };

  readonly #onError = (error: unknown): never => {
    if (!this.#state.dropped) this.#state.breakReceiving(error);
    return this.#fail();
  };

  #fail(): never {
    this.#finish();
    throw this.#state.brokenError(this.#state.breakage!, "recvInto");
  }

  #finish(): void {
    this.pending = undefined;
    this.#receiver.callsChanged();
    if (!this.#state.closed) return;
    this.#receiver.onOver();
    throw this.#state.closedError("recvInto");
  }
}
