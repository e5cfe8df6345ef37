import type { Server, Socket } from "node:net";
import type { SocketAddress, Transport, TransportListener } from "../types.ts";
import { AcceptQueue, type AcceptSource } from "./accept_queue.ts";
import { NodeSocket } from "./node_socket.ts";

/** Options of the servers of `node:net` whose clients are read by this package. */
export const SERVER_OPTIONS = { allowHalfOpen: true, pauseOnConnect: true } as const;

/** A listener of `node:net`. */
export class NodeListener<A extends SocketAddress> implements TransportListener<A> {
  readonly address: A;
  readonly #server: Server;
  readonly #clients: AcceptQueue<NodeSocket>;

  /**
   * @param server A server that listens.
   * @param ends Opens and refuses clients.
   */
  constructor(
    server: Server,
    address: A,
    ends: Pick<AcceptSource<NodeSocket>, "open" | "refuse">,
  ) {
    this.#server = server;
    this.address = address;
    this.#clients = new AcceptQueue({
      setReferenced: (on) => on ? server.ref() : server.unref(),
      ...ends,
    });
    server.on("connection", (accepted: Socket) => this.#clients.add(NodeSocket.adopt(accepted)));
    server.on("error", (error) => this.#clients.fail(error));
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

  /** The address is free after this: the runtime closes a descriptor that listens within the call. */
  close(): void {
    this.#server.close();
    this.#clients.close();
  }
}
