import { Cancellation, waitUnlessCancelled } from "../core/cancellation.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { SocketError } from "../errors.ts";
import type { OperationOptions } from "../types.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Sender } from "./sender.ts";

const OPERATION = "closeWrite";

/** The end of the sending direction: it comes once, after everything that was sent before it. */
export class WriteEnd {
  readonly #state: ConnectionState;
  readonly #sender: Sender;
  #end: Promise<void> | undefined;
  /** The calls of `closeWrite` that have not settled. */
  #calls: Set<Promise<void>> | undefined;

  constructor(state: ConnectionState, sender: Sender) {
    this.#state = state;
    this.#sender = sender;
  }

  /** Ends the sending direction for a caller. One that is cancelled only stops waiting for it. */
  closeWrite(options: OperationOptions | undefined): Promise<void> {
    const calls = this.#calls ??= new Set();
    const call = this.#closeWrite(options).finally(() => calls.delete(call));
    calls.add(call);
    return call;
  }

  async #closeWrite(options: OperationOptions | undefined): Promise<void> {
    const cancellation = Cancellation.read(OPERATION, options);
    const state = this.#state;
    if (state.phase !== "open" || state.reserved) throw state.closedError(OPERATION);
    if (state.transport.closeWrite === undefined) {
      const reason = "the transport cannot half-close";
      throw new SocketError("Unsupported", OPERATION, reason, { address: state.peer });
    }
    await waitUnlessCancelled(this.end(), cancellation, state);
  }

  /** Flushes, and then ends the sending direction. */
  end(): Promise<void> {
    if (this.#end === undefined) {
      this.#sender.finish();
      this.#end = this.#flushAndEnd();
      this.#end.catch(() => {});
    }
    return this.#end;
  }

  /** Keeps calls that nobody awaits from ending the process: if this side closes, the loss is its own doing. */
  ignoreRejections(): void {
    for (const call of this.#calls ?? []) call.catch(() => {});
  }

  async #flushAndEnd(): Promise<void> {
    const state = this.#state;
    await this.#sender.waitIdle();
    if (state.phase === "closed") throw state.closedError(OPERATION);
    const failure = state.sendFailure ?? state.failure;
    if (failure !== undefined) throw state.brokenError(failure, OPERATION);
    try {
      await state.transport.closeWrite?.();
    } catch (error) {
      if (this.#state.phase === "closed") throw state.closedError(OPERATION);
      throw toSocketError(error, OPERATION, { address: state.peer, retryable: false });
    }
  }
}
