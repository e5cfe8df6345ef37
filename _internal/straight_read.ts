import type { ConnectionState } from "./connection_state.ts";

/**
 * A read straight into a caller's buffer, for `recvInto` that nothing can cancel. It settles only when
 * the runtime's read has ended, since nobody may write to a buffer whose call has settled.
 */
export class StraightRead {
  /** The call that waits, if there is one. */
  pending: Promise<number | null> | undefined;
  readonly #state: ConnectionState;
  readonly #whenTellable: (tell: () => number | null) => number | null | Promise<number | null>;
  /** Called when a read has ended on a connection that this side closes. */
  readonly #onOver: () => void;

  constructor(
    state: ConnectionState,
    whenTellable: (tell: () => number | null) => number | null | Promise<number | null>,
    onOver: () => void,
  ) {
    this.#state = state;
    this.#whenTellable = whenTellable;
    this.#onOver = onOver;
  }

  read(target: Uint8Array): Promise<number | null> {
    return this.pending = this.#state.transport.read(target).then(this.#onRead, this.#onError);
  }

  readonly #onRead = (count: number | null): number | null | Promise<number | null> => {
    if (count === null) return this.#whenTellable(this.#onEnd);
    this.#finish();
    this.#state.bytesReceived += count;
    return count;
  };

  readonly #onEnd = (): null => {
    if (this.#state.breakage !== undefined) return this.#fail();
    if (!this.#state.dropped) this.#state.peerEnded = true;
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
    if (!this.#state.closed) return;
    this.#onOver();
    throw this.#state.closedError("recvInto");
  }
}
