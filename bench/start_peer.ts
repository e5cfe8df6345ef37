import type { Peer } from "./sides/work.ts";

/** Starts the worker that is the other end, which ends with the program. */
export async function startPeer(): Promise<Peer> {
  const worker = new Worker(new URL("./peer.ts", import.meta.url), { type: "module" });
  return await new Promise<Peer>((resolve) => worker.onmessage = ({ data }) => resolve(data));
}
