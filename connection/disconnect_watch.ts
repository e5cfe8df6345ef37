import { SocketError } from "../errors.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { ProcessHold } from "./process_hold.ts";
import type { Receiver } from "./receiver.ts";

const OPERATION = "disconnectSignal";

/**
 * Looks whether the peer is still there. The runtime tells that to a read only, so it reads ahead while
 * no call does and nothing is left of the last read; the bytes are the next call's.
 */
export class DisconnectWatch {
  readonly #controller = new AbortController();
  readonly #state: ConnectionState;
  readonly #receiver: Receiver;
  readonly #hold: ProcessHold;

  constructor(state: ConnectionState, receiver: Receiver, hold: ProcessHold) {
    this.#state = state;
    this.#receiver = receiver;
    this.#hold = hold;
    state.disconnection = this;
    receiver.onCalls((waiting) => this.#onCalls(waiting));
    this.check();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something has ended. Listeners are anybody's code, which must not run amid what is noted here. */
  notice(): void {
    queueMicrotask(() => this.check());
  }

  /** Aborts the signal where the connection is over. */
  check(): void {
    if (this.signal.aborted) return;
    const reason = this.#reason();
    if (reason === undefined) return;
    // A close waits for the peer's end, which nothing else may keep the process alive for.
    this.#hold.idle(false);
    this.#controller.abort(reason);
  }

  /** A read that nobody waits for must not keep the process alive. */
  #onCalls(waiting: boolean): void {
    if (this.signal.aborted || this.#state.closed) return;
    this.#hold.idle(!waiting);
    if (!waiting) this.#receiver.readAhead();
  }

  #reason(): SocketError | undefined {
    const state = this.#state;
    if (state.closed) return state.closedError(OPERATION);
    const breakage = state.breakage ?? state.sendBreakage;
    if (breakage !== undefined) return state.brokenError(breakage, OPERATION);
    if (!state.peerEnded) return undefined;
    const reason = "the peer has ended its side";
    return new SocketError("UnexpectedEof", OPERATION, reason, { address: state.peer });
  }
}
