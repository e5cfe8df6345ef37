import { startPeer } from "./start_peer.ts";
import type { Peer } from "./start_peer.ts";
import type { Workload } from "./tcp_workloads.ts";

/** A group for each workload, with the runtime's own sockets as its baseline. */
export async function register(
  workloads: readonly ((peer: Peer) => Promise<Workload>)[],
): Promise<void> {
  const peer = await startPeer();
  for (const make of workloads) {
    const workload = await make(peer);
    const group = workload.name;
    Deno.bench({ name: "raw Deno", group, baseline: true }, async () => {
      await workload.raw();
    });
    Deno.bench({ name: "@aivi/sockets", group }, async () => {
      await workload.ours();
    });
  }
}
