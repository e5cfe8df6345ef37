import { SocketError } from "../errors.ts";

/** The connection's side of its `writable`. */
export interface WritableTarget {
  send(bytes: Uint8Array): Promise<void>;
  /** Nothing waits to be sent. */
  readonly idle: boolean;
  /** Resolves once nothing is left to write, or nothing can be written any more. */
  whenSent(): Promise<void>;
  closeWrite(): Promise<void>;
  abort(): void;
}

/** The sending side as a stream. */
export class WritableView extends WritableStream<Uint8Array> {
  readonly #target: WritableTarget;

  /** @param onEnd Called when the stream has ended: closed, or broken by a send that failed. */
  constructor(target: WritableTarget, onEnd: () => void) {
    super({
      // The platform calls `abort` of a sink only after the write that is under way, which a peer that takes
      // nothing never ends; the signal comes at once.
      start: ({ signal }) => signal.addEventListener("abort", () => target.abort(), { once: true }),
      async write(bytes): Promise<void> {
        try {
          await sendInTurn(target, bytes);
        } catch (error) {
          onEnd();
          throw error;
        }
      },
      async close(): Promise<void> {
        try {
          await target.closeWrite();
        } finally {
          onEnd();
        }
      },
    });
    this.#target = target;
  }

  /** Aborts the connection, also while the stream is locked. */
  abortConnection(): void {
    this.#target.abort();
  }
}

/** Waits for room in the send queue: one full queue must not end the stream. */
async function sendInTurn(target: WritableTarget, bytes: Uint8Array): Promise<void> {
  for (;;) {
    try {
      return await target.send(bytes);
    } catch (error) {
      const full = error instanceof SocketError && error.kind === "QueueFull" && !target.idle;
      if (!full) throw error;
      await target.whenSent();
    }
  }
}
