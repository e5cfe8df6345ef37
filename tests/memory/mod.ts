/**
 * The package with a network in memory in place of the system's. The import map beside this file puts it in place of
 * `mod.ts`, so that the tests of real sockets run on it unchanged.
 *
 * @module
 */

import "./left_out.ts";
import type { Network } from "../../mod.ts";
import { type MemoryNetwork, memoryNetwork } from "../../testing.ts";

// As on loopback: small messages come whole, and much fits on the way.
export const network: MemoryNetwork = memoryNetwork({
  partial: 0,
  window: 1024 * 1024,
  segment: 32 * 1024,
});
const host: Network = network.host("host");

export * from "../../mod.ts";
export const listen: Network["listen"] = host.listen;
export const connect: Network["connect"] = host.connect;
export const bindUdp: Network["bindUdp"] = host.bindUdp;
