import { useUnrefTimer } from "../core/timer.ts";

// Timers are numbers in Deno before 2.9.
useUnrefTimer(Deno.unrefTimer);

/** The part of the runtime that needs `--unstable-net`; its types are not there without the flag. */
interface UnstableNet {
  listenDatagram?(options: {
    transport: "udp";
    hostname: string;
    port: number;
    reuseAddress?: boolean;
    /** `IP_MULTICAST_LOOP`, which the runtime turns off unless it is asked for. */
    loopback?: boolean;
  }): RuntimeSocket;
}

/** What `Deno.listenDatagram` gives. */
export interface RuntimeSocket {
  readonly addr: Deno.NetAddr;
  receive(buffer: Uint8Array): Promise<[Uint8Array, Deno.NetAddr]>;
  send(bytes: Uint8Array, to: Deno.NetAddr): Promise<number>;
  /** A pending receive keeps the process alive, as it does at first, or no longer. */
  ref(): void;
  unref(): void;
  close(): void;
}

// The runtime's own declarations leave out ref and unref of the socket.
export const unstableNet = Deno as unknown as UnstableNet;

/** Whether the program runs with the flag: `Deno.listenDatagram` is missing altogether without. */
export function hasUnstableNet(): boolean {
  return typeof unstableNet.listenDatagram === "function";
}
