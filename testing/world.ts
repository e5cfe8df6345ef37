import type { MemoryHost } from "./memory_host.ts";
import type { SeededRandom } from "./seeded_random.ts";
import type { Clock } from "./timeline.ts";
import type { Trace } from "./trace.ts";
import type { Wire } from "./wire.ts";

/** The parts of a network in memory that all of its hosts share. */
export interface World {
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly trace: Trace;
  /** Local ports that the system chooses from, both included. */
  readonly ports: readonly [first: number, last: number];
  /** Returns the direction from one host to another, or to itself. */
  wire(from: MemoryHost, to: MemoryHost): Wire;
  /** Returns the host that has an address, seen from another host. */
  findHost(address: string, from: MemoryHost): MemoryHost | undefined;
  /** Returns the addresses behind a host of a caller: an address is its own. Rejects like a resolver. */
  resolve(host: string): Promise<readonly string[]>;
}
