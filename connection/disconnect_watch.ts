import { SocketError } from "../errors.ts";
import type { ConnectionState, StateObserver } from "./connection_state.ts";
import type { ReadAhead } from "./read_ahead.ts";

const OPERATION = "disconnectSignal";

/** Aborts a signal when the peer has left. It reads ahead, since only a read reports that. */
export class DisconnectWatch implements StateObserver {
  readonly #controller = new AbortController();
  readonly #state: ConnectionState;
  readonly #readAhead: ReadAhead;

  constructor(state: ConnectionState, readAhead: ReadAhead) {
    this.#state = state;
    this.#readAhead = readAhead;
    state.observe(this);
    readAhead.begin();
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
    this.#readAhead.end();
    this.#controller.abort(reason);
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
