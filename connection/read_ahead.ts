import type { ConnectionState } from "./connection_state.ts";
import type { CallObserver, Receiver } from "./receiver.ts";

/** `readMore` stops at this many bytes that nobody has received. */
const MOST_BYTES_AHEAD = 64 * 1024;

/**
 * Reads while no call does. The runtime reports the peer's bytes and its end to a read only, so a connection whose
 * program does not receive learns of them in no other way. The bytes are the next call's, and a read that no call waits
 * for does not keep the process alive.
 */
export class ReadAhead implements CallObserver {
  readonly #state: ConnectionState;
  readonly #receiver: Receiver;
  #callWaits = false;
  /** True if a read follows each call, once nothing is left of the last one. */
  #always = false;

  constructor(state: ConnectionState, receiver: Receiver) {
    this.#state = state;
    this.#receiver = receiver;
    receiver.observeCalls(this);
  }

  /** Keeps a read under way from now on, except while bytes wait that nobody has received. */
  begin(): void {
    this.#always = true;
    this.#update();
  }

  /** Stops keeping a read under way. The one that is under way then keeps the process alive, as any other does. */
  end(): void {
    this.#always = false;
    this.#receiver.input.setReadsAhead(false);
  }

  /** Reads once, also behind bytes that wait. Returns false if too many of them wait. */
  readMore(): boolean {
    const read = this.#receiver.readMore(MOST_BYTES_AHEAD);
    this.#update();
    return read;
  }

  onCallsChange(waiting: boolean): void {
    this.#callWaits = waiting;
    this.#update();
  }

  #update(): void {
    if (this.#state.phase !== "open") return;
    const { input } = this.#receiver;
    if (this.#always && !this.#callWaits) this.#receiver.readAhead();
    input.setReadsAhead(input.reading && !this.#callWaits);
  }
}
