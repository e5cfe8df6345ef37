/** The part of the runtime that needs `--unstable-net`. Its types are missing without the flag. */
interface UnstableNet {
  listenDatagram?(options: {
    transport: "udp";
    hostname: string;
    port: number;
    reuseAddress?: boolean;
    /** `IP_MULTICAST_LOOP`, which the runtime turns off by default. */
    loopback?: boolean;
  }): RuntimeSocket;
}

/** A UDP socket of `Deno.listenDatagram`. The runtime's own declarations leave out `ref` and `unref`. */
export interface RuntimeSocket {
  readonly addr: Deno.NetAddr;
  receive(buffer: Uint8Array): Promise<[Uint8Array, Deno.NetAddr]>;
  send(bytes: Uint8Array, to: Deno.NetAddr): Promise<number>;
  /** Lets a pending receive keep the process alive, as it does at first. */
  ref(): void;
  /** Lets the process end although a receive is pending. */
  unref(): void;
  close(): void;
}

/** The global `Deno` object with the parts that the flag adds. */
export const unstableNet = Deno as unknown as UnstableNet;

/** Says if the program runs with `--unstable-net`: without it, `Deno.listenDatagram` is missing. */
export function hasUnstableNet(): boolean {
  return typeof unstableNet.listenDatagram === "function";
}
