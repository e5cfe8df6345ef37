import { ByteQueue } from "../../mod.ts";
import { Random } from "./random.ts";

/** From this size on a queue keeps what is pushed as a chunk of its own. */
export const LARGE = 4096;

/** A queue with these pushes, all of them small. */
export function queueOf(...chunks: readonly (readonly number[])[]): ByteQueue {
  const queue = new ByteQueue();
  for (const chunk of chunks) queue.push(new Uint8Array(chunk));
  return queue;
}

/** Bytes that differ, in a queue that keeps every 4 KiB as a chunk of its own. */
export function inChunks(count: number): { queue: ByteQueue; bytes: Uint8Array } {
  const bytes = new Random(count).bytes(count * LARGE);
  const queue = new ByteQueue();
  for (let at = 0; at < bytes.length; at += LARGE) queue.push(bytes.slice(at, at + LARGE));
  return { queue, bytes };
}
