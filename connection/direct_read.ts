import { invalidInput } from "../core/arguments.ts";
import { turnDue, waitTurn } from "../core/event_loop_turn.ts";
import type { ConnectionState } from "./connection_state.ts";
import { type PendingReceive, TARGET_GONE } from "./pending_receive.ts";
import type { StreamInput } from "./stream_input.ts";

const OPERATION = "recvInto";

/**
 * Reads straight into a caller's buffer, for a `recvInto` that nothing can cancel. It settles only after the runtime's
 * read has ended, since nobody may write to a buffer whose call has settled.
 */
export class DirectRead {
  readonly #state: ConnectionState;
  readonly #input: StreamInput;
  readonly #call: PendingReceive;

  constructor(state: ConnectionState, input: StreamInput, call: PendingReceive) {
    this.#state = state;
    this.#input = input;
    this.#call = call;
  }

  read(target: Uint8Array): Promise<number | null> {
    const promise = this.#input.readInto(target).then(this.#onRead, this.#onError);
    this.#call.occupy(OPERATION, promise);
    return promise;
  }

  readonly #onRead = (count: number | null): number | null | Promise<number | null> => {
    if (count === null) return this.#input.confirmEnd(this.#onEnd);
    // Node, Bun and the TLS of `node:tls` keep the bytes then. Deno's own sockets hold on to the memory.
    if (count === 0) return this.#gone();
    if (!turnDue()) return this.#give(count);
    // The buffer is the caller's: the call stays pending, so that nobody else reads meanwhile.
    return waitTurn().then(() => this.#give(count));
  };

  #give(count: number): number {
    this.#finish();
    this.#state.bytesReceived += count;
    return count;
  }

  /** Leaves the bytes to the next call. */
  #gone(): never {
    this.#finish();
    throw invalidInput(OPERATION, TARGET_GONE);
  }

  readonly #onEnd = (): null => {
    if (this.#state.failure !== undefined) return this.#fail();
    if (this.#state.phase !== "closed") this.#state.endReceiving();
    this.#finish();
    return null;
  };

  readonly #onError = (error: unknown): never => {
    if (this.#state.phase !== "closed") this.#state.breakReceiving(error);
    return this.#fail();
  };

  #fail(): never {
    this.#finish();
    throw this.#state.brokenError(this.#state.failure!, OPERATION);
  }

  /** Frees the slot, and throws if this side has closed meanwhile. */
  #finish(): void {
    this.#input.endRead();
    this.#call.release();
    if (this.#state.phase !== "open") throw this.#state.closedError(OPERATION);
  }
}
