import { createServer, type ListenOptions, type Server, type Socket } from "node:net";
import { fromRuntimeAddress, withZoneOf } from "../core/address_check.ts";
import type { Address, Transport, TransportListener } from "../types.ts";
import type {
  Backend,
  DatagramSettings,
  DatagramSocket,
  ListenSettings,
  TcpSettings,
} from "./backend.ts";
import { NodeDatagrams } from "./node_datagrams.ts";
import { NodeSocket } from "./node_socket.ts";
import { closedUnderneath, NodeStream } from "./node_stream.ts";
import { explainDenial } from "./permissions.ts";

/** The sockets of Node. */
export const nodeBackend: Backend = { listen, connect, bindDatagrams };

/** Clients that may wait until they are accepted, if no option says otherwise: the default of Node and of Deno. */
const DEFAULT_BACKLOG = 511;

/**
 * A listener of Node. The runtime accepts every client at once, so those that nobody has asked for wait here, without
 * being read. Further ones are reset, as the system does with those that its own queue has no room for.
 */
class NodeListener implements TransportListener {
  readonly address: Address;
  readonly #server: Server;
  readonly #room: number;
  readonly #waiting: NodeSocket[] = [];
  #accept: PromiseWithResolvers<Transport> | undefined;
  #failure: Error | undefined;
  #referenced = true;
  #closed = false;

  constructor(server: Server, host: string, backlog: number) {
    this.#server = server;
    this.#room = backlog;
    const { address, port } = server.address() as { address: string; port: number };
    this.address = withZoneOf(host, fromRuntimeAddress({ hostname: address, port }));
    server.on("connection", this.#onConnection);
    server.on("error", this.#onError);
    // A listener keeps the process alive only while somebody waits for a client.
    server.unref();
  }

  accept(): Promise<Transport> {
    if (this.#closed) return Promise.reject(closedUnderneath());
    const socket = this.#waiting.shift();
    if (socket !== undefined) return Promise.resolve(new NodeStream(socket));
    if (this.#failure !== undefined) {
      const failure = this.#failure;
      this.#failure = undefined;
      return Promise.reject(failure);
    }
    this.#accept = Promise.withResolvers();
    this.#updateReference();
    return this.#accept.promise;
  }

  ref(): void {
    this.#referenced = true;
    this.#updateReference();
  }

  unref(): void {
    this.#referenced = false;
    this.#updateReference();
  }

  close(): void {
    this.#closed = true;
    // The port is free after this: the runtime closes a descriptor that listens within the call.
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.reset();
    this.#accept?.reject(closedUnderneath());
    this.#accept = undefined;
  }

  #updateReference(): void {
    if (this.#referenced && this.#accept !== undefined) this.#server.ref();
    else this.#server.unref();
  }

  readonly #onConnection = (accepted: Socket): void => {
    const socket = NodeSocket.adopt(accepted);
    if (this.#closed || this.#waiting.length >= this.#room) return socket.reset();
    if (this.#accept === undefined) {
      this.#waiting.push(socket);
      return;
    }
    const { resolve } = this.#accept;
    this.#accept = undefined;
    this.#updateReference();
    resolve(new NodeStream(socket));
  };

  readonly #onError = (error: Error): void => {
    if (this.#accept === undefined) {
      this.#failure = error;
      return;
    }
    this.#accept.reject(error);
    this.#accept = undefined;
    this.#updateReference();
  };
}

async function listen(
  address: Address,
  { backlog = DEFAULT_BACKLOG, reusePort, noDelay, keepAlive }: ListenSettings,
): Promise<TransportListener> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay, keepAlive });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  const options: ListenOptions & { reusePort: boolean } = {
    host: address.host,
    port: address.port,
    backlog,
    reusePort,
    // A worker of `node:cluster` would share the socket of another process.
    exclusive: true,
  };
  server.listen(options, resolve);
  try {
    await promise;
  } catch (error) {
    throw explainDenial(error, "listen", address);
  }
  server.removeListener("error", reject);
  return new NodeListener(server, address.host, backlog);
}

/** Connects through the runtime, which resolves the name and tries each address (RFC 8305). */
async function connect(
  address: Address,
  { noDelay, keepAlive }: TcpSettings,
  signal?: AbortSignal,
): Promise<Transport> {
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
    throw explainDenial(error, "connect", address);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

async function bindDatagrams(
  address: Address,
  settings: DatagramSettings,
): Promise<DatagramSocket> {
  return await NodeDatagrams.bind(address, settings);
}
