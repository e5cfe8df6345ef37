import { type AddressInfo, createServer, type ListenOptions } from "node:net";
import { fromRuntimeAddress, withZoneOf } from "../core/address_check.ts";
import type { Address, Transport, TransportListener } from "../types.ts";
import type { Backend, DatagramSettings, ListenSettings, TcpSettings } from "./backend.ts";
import { bunSockets } from "./bun_sockets.ts";
import { NodeDatagrams } from "./node_datagrams.ts";
import { checkZone, explainNodeFailure } from "./node_errors.ts";
import { NodeListener, SERVER_OPTIONS } from "./node_listener.ts";
import { checkPermission } from "./node_permissions.ts";
import { NodeSocket, openSocket } from "./node_socket.ts";
import { NodeStream } from "./node_stream.ts";
import { connectUnix, listenUnix } from "./node_unix.ts";

/** The sockets of Node, and on Bun its own, which its `node:net` hides behind a copy of Node's. */
export const nodeBackend: Backend = {
  ...bunSockets ?? { listen, connect, listenUnix, connectUnix },
  bindDatagrams: (address: Address, settings: DatagramSettings) =>
    NodeDatagrams.bind(address, settings),
};

async function listen(
  address: Address,
  { backlog, reusePort, noDelay, keepAlive }: ListenSettings,
): Promise<TransportListener> {
  checkPermission("listen", address);
  const server = createServer({ ...SERVER_OPTIONS, noDelay, keepAlive });
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
  const bound = server.address() as AddressInfo;
  const own = fromRuntimeAddress({ hostname: bound.address, port: bound.port });
  return NodeListener.overTcp(server, withZoneOf(address.host, own));
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
  try {
    await openSocket(socket, { host: address.host, port: address.port }, signal);
    return NodeStream.overTcp(socket);
  } catch (error) {
    throw explainNodeFailure(error, "connect", address);
  }
}
