import type { SocketAddress } from "../types.ts";
import { QueuedListener } from "./accept_queue.ts";
import { type BunSocket, type BunStream, STREAM_EVENTS } from "./bun_stream.ts";

/** A server of Bun. */
export interface BunServer {
  /** The port, if it has one. */
  readonly port: number;
  stop(): void;
  ref(): void;
  unref(): void;
}

/** The events of a socket, as Bun takes them. */
type Events = typeof STREAM_EVENTS & { open(socket: BunSocket): void };

/** The address that Bun listens on or connects to. */
type Target = { hostname: string; port: number } | { unix: string };

/** The options of sockets of Bun. */
export type BunOptions = Target & { allowHalfOpen: boolean; reusePort?: boolean; socket: Events };

/** The part of Bun that this package uses. */
export interface BunRuntime {
  listen(options: BunOptions): BunServer;
  connect(options: BunOptions): Promise<BunSocket>;
}

/** Returns the options of sockets. `open` is called when the runtime has one. */
export function socketOptions(target: Target, open: (socket: BunSocket) => void): BunOptions {
  return { ...target, allowHalfOpen: true, socket: { ...STREAM_EVENTS, open } };
}

/** A listener of Bun. */
export class BunListener<A extends SocketAddress> extends QueuedListener<BunStream, A> {
  readonly #server: BunServer;

  /** @param server A server that gives its clients to `add`. */
  constructor(server: BunServer, address: A) {
    super(address, {
      setReferenced: (on) => on ? server.ref() : server.unref(),
      open: (stream) => stream.lost ? undefined : stream,
      refuse: (stream) => stream.reset(),
    });
    this.#server = server;
  }

  /** Takes a client that the runtime has accepted. */
  add(stream: BunStream): void {
    this.clients.add(stream);
  }

  override close(): void {
    this.#server.stop();
    super.close();
  }
}
