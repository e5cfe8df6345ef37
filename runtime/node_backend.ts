import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { fromRuntimeAddress, withZoneOf } from "../core/address_check.ts";
import { SocketError } from "../errors.ts";
import type { Address, Transport, TransportListener, UnixAddress } from "../types.ts";
import { AcceptQueue } from "./accept_queue.ts";
import type { Backend, DatagramSettings, ListenSettings, TcpSettings } from "./backend.ts";
import { bunSockets } from "./bun_sockets.ts";
import { NodeDatagrams } from "./node_datagrams.ts";
import { checkPermission, checkZone, explainNodeFailure } from "./node_errors.ts";
import { NodeSocket } from "./node_socket.ts";
import { NodeStream } from "./node_stream.ts";

/** The sockets of Node, and on Bun its own, which its `node:net` hides behind a copy of Node's. */
export const nodeBackend: Backend = {
  ...bunSockets ?? { listen, connect },
  listenUnix: (address) => Promise.reject(noUnixSockets("listen", address)),
  connectUnix: (address) => Promise.reject(noUnixSockets("connect", address)),
  bindDatagrams: (address: Address, settings: DatagramSettings) =>
    NodeDatagrams.bind(address, settings),
};

function noUnixSockets(operation: string, address: UnixAddress): SocketError {
  const reason = "Unix sockets are there on Deno only";
  return new SocketError("Unsupported", operation, reason, { address });
}

/** A listener of `node:net`. */
class NodeListener implements TransportListener<Address> {
  readonly address: Address;
  readonly #server: Server;
  readonly #clients: AcceptQueue<NodeSocket>;

  constructor(server: Server, host: string) {
    this.#server = server;
    const { address, port } = server.address() as { address: string; port: number };
    this.address = withZoneOf(host, fromRuntimeAddress({ hostname: address, port }));
    this.#clients = new AcceptQueue({
      setReferenced: (on) => on ? server.ref() : server.unref(),
      open: (socket) => new NodeStream(socket),
      refuse: (socket) => socket.reset(),
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

  /** The port is free after this: the runtime closes a descriptor that listens within the call. */
  close(): void {
    this.#server.close();
    this.#clients.close();
  }
}

async function listen(
  address: Address,
  { backlog, reusePort, noDelay, keepAlive }: ListenSettings,
): Promise<TransportListener> {
  checkPermission("listen", address);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay, keepAlive });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  const options: ListenOptions & { reusePort: boolean } = {
    host: address.host,
    port: address.port,
    reusePort,
    ...backlog === undefined ? {} : { backlog },
    // A worker of `node:cluster` would share the socket of another process.
    exclusive: true,
  };
  server.listen(options, resolve);
  try {
    await promise;
  } catch (error) {
    throw explainNodeFailure(error, "listen", address);
  }
  server.removeListener("error", reject);
  return new NodeListener(server, address.host);
}

/** Connects through the runtime, which resolves the name and tries each address (RFC 8305). */
async function connect(
  address: Address,
  { noDelay, keepAlive }: TcpSettings,
  signal?: AbortSignal,
): Promise<Transport> {
  checkPermission("connect", address);
  checkZone("connect", address);
  const socket = new NodeSocket({ noDelay, keepAlive });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal!.reason);
  socket.observe({ onBytes: () => false, onEnd() {}, onFailure: reject });
  signal?.addEventListener("abort", onAbort);
  try {
    signal?.throwIfAborted();
    socket.connect({ host: address.host, port: address.port }, resolve);
    await promise;
    return new NodeStream(socket);
  } catch (error) {
    socket.dispose();
    throw explainNodeFailure(error, "connect", address);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
