import { servePeer, WORDS } from "./peer.ts";
import type { Peer } from "./contenders/work.ts";
import { startWorker } from "./start_worker.ts";

/** Starts the peer in a Web Worker, which ends with the program. */
export async function startPeer(): Promise<Peer> {
  const worker = startWorker(servePeer, WORDS);
  return await new Promise<Peer>((resolve) => worker.onmessage = ({ data }) => resolve(data));
}
