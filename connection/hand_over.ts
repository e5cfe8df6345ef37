import type { Cancellation } from "../core/cancellation.ts";
import type { ConnectionState } from "./connection_state.ts";
import { HandedTransport } from "./handed_transport.ts";
import type { Receiver } from "./receiver.ts";
import type { SendOperation } from "./send_queue.ts";
import type { Sender } from "./sender.ts";

/** Gives the transport of a connection away, as `startTls` needs it. Nothing that was sent or has come is lost by it. */
export class HandOver {
  readonly #state: ConnectionState;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  /** The transport, until another connection has it. */
  #handed: HandedTransport | undefined;
  /** Settles when it is certain if another connection has the transport. It is there while that is not. */
  #ending: PromiseWithResolvers<void> | undefined;

  constructor(state: ConnectionState, sender: Sender, receiver: Receiver) {
    this.#state = state;
    this.#sender = sender;
    this.#receiver = receiver;
  }

  /**
   * Does what comes before; every call on the connection is `Closed` meanwhile. If it throws, if a call is under way, or
   * if bytes had come, the connection is as it was before. Bytes that come meanwhile are the next owner's.
   */
  async prepare(
    operation: SendOperation,
    cancellation: Cancellation | undefined,
    prepare: () => Promise<void>,
  ): Promise<void> {
    const state = this.#state;
    this.#receiver.checkCanHandOver(operation, cancellation);
    this.#sender.checkUsable(operation);
    state.setReserved(true);
    try {
      await prepare();
      if (state.phase !== "open") throw state.closedError(operation);
      this.#receiver.checkStream(operation);
    } catch (error) {
      state.setReserved(false);
      throw error;
    }
  }

  /** True while it is not certain if another connection takes the place of this one. */
  get underWay(): boolean {
    return this.#ending !== undefined;
  }

  /** Resolves when that is certain. */
  async waitSettled(): Promise<void> {
    await this.#ending?.promise;
  }

  /** Gives the transport away after everything that was sent has left. The connection is closed then. */
  async take(operation: SendOperation): Promise<HandedTransport> {
    const state = this.#state;
    const { input } = this.#receiver;
    this.#ending = Promise.withResolvers();
    // Bytes that come while the last sends leave are the next owner's.
    const pending = input.handOver();
    const unread = input.buffer.length === 0 ? undefined : input.buffer.take(Infinity);
    state.beginClose();
    this.#sender.ignoreRejections();
    await this.#sender.waitIdle();
    if (state.phase === "closed") throw state.closedError(operation);
    const failure = state.sendFailure ?? state.failure;
    if (failure !== undefined) throw state.brokenError(failure, operation);
    state.handOver();
    this.#sender.close();
    return this.#handed = new HandedTransport(state.transport, pending, unread);
  }

  /** Notes that another connection has the transport, or that it is closed. */
  settle(): void {
    this.#handed = undefined;
    this.#ending?.resolve();
    this.#ending = undefined;
  }

  /** Closes the transport if no other connection has it yet: that ends the handshake. */
  drop(): void {
    try {
      this.#handed?.close();
    } catch {
      // The runtime's TLS has taken it over.
    }
    this.settle();
  }
}
