import type { SocketAddress, Transport, TransportListener } from "../types.ts";
import { AcceptQueue } from "./accept_queue.ts";
import type { BunStream } from "./bun_stream.ts";

/** A server of Bun. */
export interface BunServer {
  /** The port, if it has one. */
  readonly port: number;
  stop(): void;
  ref(): void;
  unref(): void;
}

/** A listener of Bun. */
export class BunListener<A extends SocketAddress> implements TransportListener<A> {
  readonly address: A;
  readonly #server: BunServer;
  readonly #clients: AcceptQueue<BunStream>;

  /** @param server A server that gives its clients to `add`. */
  constructor(server: BunServer, address: A) {
    this.#server = server;
    this.address = address;
    this.#clients = new AcceptQueue({
      setReferenced: (on) => on ? server.ref() : server.unref(),
      open: (stream) => stream,
      refuse: (stream) => stream.reset(),
    });
  }

  /** Takes a client that the runtime has accepted. */
  add(stream: BunStream): void {
    this.#clients.add(stream);
  }

  accept(): Promise<Transport> {
    return this.#clients.accept();
  }

  ref(): void {
    this.#clients.setReferenced(true);
  }

  unref(): void {
    this.#clients.setReferenced(false);
  }

  close(): void {
    this.#server.stop();
    this.#clients.close();
  }
}
