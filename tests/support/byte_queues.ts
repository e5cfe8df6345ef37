import { ByteQueue } from "../../mod.ts";
import { Random } from "./random.ts";

/** The minimum size of a push that a queue keeps as a chunk of its own (bytes). */
export const LARGE = 4096;

/** Makes a queue from small pushes. */
export function queueOf(...chunks: readonly (readonly number[])[]): ByteQueue {
  const queue = new ByteQueue();
  for (const chunk of chunks) queue.push(new Uint8Array(chunk));
  return queue;
}

/** Makes a queue of different bytes, with every 4 KiB in a chunk of its own. */
export function inChunks(count: number): { queue: ByteQueue; bytes: Uint8Array } {
  const bytes = new Random(count).bytes(count * LARGE);
  const queue = new ByteQueue();
  for (let at = 0; at < bytes.length; at += LARGE) queue.push(bytes.slice(at, at + LARGE));
  return { queue, bytes };
}
