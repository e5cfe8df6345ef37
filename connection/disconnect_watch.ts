import { SocketError } from "../errors.ts";
import type { ConnectionState, StateObserver } from "./connection_state.ts";
import type { CallObserver, Receiver } from "./receiver.ts";

const OPERATION = "disconnectSignal";

/**
 * Aborts a signal when the peer has left. The runtime reports that to a read only, so this reads ahead while no call
 * does and nothing is left of the last read. The bytes are the next call's.
 */
export class DisconnectWatch implements StateObserver, CallObserver {
  readonly #controller = new AbortController();
  readonly #state: ConnectionState;
  readonly #receiver: Receiver;

  constructor(state: ConnectionState, receiver: Receiver) {
    this.#state = state;
    this.#receiver = receiver;
    state.observePeer(this);
    receiver.observeCalls(this);
    this.check();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Checks later: listeners are a caller's code, which must not run amid a change of state. */
  onStateChange(): void {
    queueMicrotask(() => this.check());
  }

  /** Aborts the signal if the connection is over. */
  check(): void {
    if (this.signal.aborted) return;
    const reason = this.#reason();
    if (reason === undefined) return;
    // A close waits for the peer's end, and nothing else may keep the process alive for that.
    this.#receiver.input.setReadsAhead(false);
    this.#controller.abort(reason);
  }

  onCallsChange(waiting: boolean): void {
    if (this.signal.aborted || this.#state.phase !== "open") return;
    this.#receiver.input.setReadsAhead(!waiting);
    if (!waiting) this.#receiver.readAhead();
  }

  #reason(): SocketError | undefined {
    const state = this.#state;
    if (state.phase !== "open") return state.closedError(OPERATION);
    const failure = state.failure ?? state.sendFailure;
    if (failure !== undefined) return state.brokenError(failure, OPERATION);
    if (!state.peerEnded) return undefined;
    const reason = "the peer has ended its side";
    return new SocketError("UnexpectedEof", OPERATION, reason, { address: state.peer });
  }
}
