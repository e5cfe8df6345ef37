import { SocketError } from "../errors.ts";
import type { ConnectionState, StateObserver } from "./connection_state.ts";
import type { ReadAhead } from "./read_ahead.ts";

const OPERATION = "disconnectSignal";

/**
 * Aborts a signal when the peer has left. It reads ahead, since only a read reports that. If another connection takes the
 * place of this one, it watches that one.
 */
export class DisconnectWatch implements StateObserver {
  readonly #controller = new AbortController();
  #state: ConnectionState;
  #readAhead: ReadAhead;
  /** True while it is not certain yet if another connection takes the place of this one. */
  #paused: boolean;

  /** @param isPaused True if another connection may be taking the place of this one. */
  constructor(state: ConnectionState, readAhead: ReadAhead, isPaused: boolean) {
    this.#state = state;
    this.#readAhead = readAhead;
    this.#paused = isPaused;
    this.#begin();
  }

  #begin(): void {
    this.#state.observe(this);
    this.#readAhead.begin();
    this.check();
  }

  /** Watches the connection that has taken the place of this one. */
  follow(state: ConnectionState, readAhead: ReadAhead): void {
    this.#state = state;
    this.#readAhead = readAhead;
    this.#paused = false;
    if (!this.signal.aborted) this.#begin();
  }

  /** Keeps quiet until `follow` or `resume` says if another connection has taken the place of this one. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
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
    if (this.#paused || this.signal.aborted) return;
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
