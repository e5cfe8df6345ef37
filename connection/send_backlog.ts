import { SendBatch } from "./send_batch.ts";
import { type PendingSend, type SendOperation, SendQueue } from "./send_queue.ts";

/**
 * What the sending direction holds beside a direct write. Most connections never need it: it is made
 * where the first send has to wait.
 */
export class SendBacklog {
  #writing = new SendBatch();
  /** What goes out next; nothing joins it while others wait in the queue, which comes after it. */
  #next = new SendBatch();
  readonly #queue = new SendQueue();

  /** What the runtime is writing, but for a direct write. */
  get writing(): SendBatch {
    return this.#writing;
  }

  /** Nothing waits. */
  get empty(): boolean {
    return this.#next.empty && this.#queue.empty;
  }

  /** Bytes that wait, for the limit: the runtime's own do not count. */
  get bytes(): number {
    return this.#next.left + this.#queue.bytes;
  }

  /** Copies a small send that nothing can cancel, where none waits before it that was not: its promise. */
  gather(
    operation: SendOperation,
    bytes: Uint8Array,
    limit: number,
  ): Promise<void> | undefined {
    return this.#queue.empty ? this.#next.gather(operation, bytes, limit) : undefined;
  }

  push(send: PendingSend): void {
    this.#queue.push(send);
  }

  /** Takes out one that was pushed and is not handed to the runtime. */
  remove(send: PendingSend): void {
    this.#queue.remove(send);
  }

  /** Makes what goes out next the batch to write; whether there is anything in it. */
  advance(): boolean {
    [this.#writing, this.#next] = [this.#next, this.#writing];
    this.#writing.fill(this.#queue);
    return !this.#writing.empty;
  }

  /** Every send that is not settled, in order. */
  pending(): PendingSend[] {
    return [...this.#writing.sends, ...this.#next.sends, ...this.#queue.all()];
  }

  /** Takes everything out. The buffer that is written from serves again only if the runtime is done. */
  clear(writeEnded: boolean): void {
    this.#writing.clear(writeEnded);
    this.#next.clear(true);
    this.#queue.clear();
  }
}
