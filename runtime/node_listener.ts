import type { Server, Socket } from "node:net";
import type { Address, SocketAddress } from "../types.ts";
import { type AcceptSource, QueuedListener } from "./accept_queue.ts";
import { NodeSocket } from "./node_socket.ts";
import { NodeStream } from "./node_stream.ts";

/** Options of the servers of `node:net` whose clients are read by this package. */
export const SERVER_OPTIONS = { allowHalfOpen: true, pauseOnConnect: true } as const;

/** A listener of `node:net`. */
export class NodeListener<A extends SocketAddress> extends QueuedListener<NodeSocket, A> {
  readonly #server: Server;

  /**
   * @param server A server that listens.
   * @param ends Opens and refuses clients.
   */
  constructor(
    server: Server,
    address: A,
    ends: Pick<AcceptSource<NodeSocket>, "open" | "refuse">,
  ) {
    super(address, { setReferenced: (on) => on ? server.ref() : server.unref(), ...ends });
    this.#server = server;
    server.on("connection", (accepted: Socket) => this.clients.add(NodeSocket.adopt(accepted)));
    server.on("error", (error) => this.clients.fail(error));
  }

  /** Makes the listener of a TCP port. */
  static overTcp(server: Server, address: Address): NodeListener<Address> {
    return new NodeListener(server, address, {
      open: openTcpClient,
      refuse: (socket) => socket.reset(),
    });
  }

  /** The address is free after this: the runtime closes a descriptor that listens within the call. */
  override close(): void {
    this.#server.close();
    super.close();
  }
}

/** Opens a client, unless it has reset: then the system does not know its address any more. */
function openTcpClient(socket: NodeSocket): NodeStream | undefined {
  if (socket.remoteAddress !== undefined) return NodeStream.overTcp(socket);
  socket.dispose();
  return undefined;
}
