import { SocketError } from "../errors.ts";
import type { Sender } from "./sender.ts";

/** The functions of a connection that its `writable` calls. */
export interface WritableTarget {
  send(bytes: Uint8Array): Promise<void>;
  closeWrite(): Promise<void>;
  abort(): void;
}

/** The sending side as a stream. */
export class WritableView extends WritableStream<Uint8Array> {
  readonly #target: WritableTarget;

  /** @param onEnd Called when the stream has ended: it was closed, or a send has failed. */
  constructor(target: WritableTarget, sender: Sender, onEnd: () => void) {
    super({
      // The platform calls a sink's `abort` only after the write that is under way, which never ends if the peer
      // takes nothing. The signal comes at once.
      start: ({ signal }) => signal.addEventListener("abort", () => target.abort(), { once: true }),
      async write(bytes): Promise<void> {
        try {
          await sendWithRoom(target, sender, bytes);
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

/** Sends as soon as the send queue has room: a full queue must not end the stream. */
async function sendWithRoom(
  target: WritableTarget,
  sender: Sender,
  bytes: Uint8Array,
): Promise<void> {
  for (;;) {
    try {
      return await target.send(bytes);
    } catch (error) {
      const full = error instanceof SocketError && error.kind === "QueueFull" && !sender.idle;
      if (!full) throw error;
      await sender.waitIdle();
    }
  }
}
