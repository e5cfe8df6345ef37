import type { Address, Datagram } from "../types.ts";

/**
 * What a UDP socket needs of the runtime. Two implementations, so that no unstable flag is needed:
 * `Deno.listenDatagram` where it is there, `node:dgram` elsewhere. Both reject with what the runtime
 * throws.
 */
export interface DatagramBackend<Received = unknown> {
  readonly address: Address;
  readonly dropped: number;
  /** The next datagram as the runtime gives it; called again only after it has settled. */
  receive(): Promise<Received>;
  /** The same in a buffer of its own; called before the next is asked for. */
  toDatagram(received: Received): Datagram;
  /** Sends to an address of the socket's family, or to a name of which `resolve` gave nothing. */
  send(bytes: Uint8Array, to: Address): Promise<unknown>;
  /** Gives the address behind a name, or nothing if only `send` may look it up. */
  resolve(to: Address): Promise<Address | undefined>;
  /** Says whether a pending receive keeps the process alive, which it does at first. */
  setReferenced(on: boolean): void;
  /** Ends a pending receive; the port is free when it resolves. */
  close(): Promise<void>;
}
