import { fromRuntimeAddress, withZoneOf } from "../core/address_check.ts";
import { hostOf, octetsOf, withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address, SocketAddress, Transport, TransportListener } from "../types.ts";
import type { Backend, ListenSettings, TcpSettings } from "./backend.ts";
import { BunListener, type BunRuntime, socketOptions } from "./bun_listener.ts";
import { type BunSocket, BunStream } from "./bun_stream.ts";
import { connectUnix, listenUnix } from "./bun_unix.ts";
import { resolveName } from "./datagram_support.ts";
import { explainNodeFailure } from "./node_errors.ts";
import { checkDescriptor } from "./node_files.ts";

/** The backlog of every listener of Bun. */
const BACKLOG = 512;

const { Bun: bun } = globalThis as unknown as { Bun?: BunRuntime };

/** The sockets of Bun, or nothing on another runtime. */
export const bunSockets: Omit<Backend, "bindDatagrams"> | undefined =
  typeof bun?.listen === "function" && typeof bun.connect === "function"
    ? {
      listen: (address, settings) =>
        explained("listen", address, () => listen(bun, address, settings)),
      connect: (address, settings) =>
        explained("connect", address, () => connect(bun, address, settings)),
      listenUnix: (address, settings) =>
        explained("listen", address, () => listenUnix(bun, address, settings)),
      connectUnix: (address) => explained("connect", address, () => connectUnix(bun, address)),
    }
    : undefined;

async function explained<T>(
  operation: string,
  address: SocketAddress,
  open: () => T | Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw explainNodeFailure(withoutDescriptor(error), operation, address);
  }
}

/** Returns the system's error for a program that is out of descriptors, which the runtime reports as a refusal. */
function withoutDescriptor(error: unknown): unknown {
  if (error instanceof SocketError) return error;
  try {
    checkDescriptor();
    return error;
  } catch (exhausted) {
    return exhausted;
  }
}

async function listen(
  runtime: BunRuntime,
  address: Address,
  settings: ListenSettings,
): Promise<TransportListener> {
  const { backlog = BACKLOG, reusePort } = settings;
  if (backlog !== BACKLOG) {
    const reason = `Bun has a backlog of ${BACKLOG} and no other`;
    throw new SocketError("Unsupported", "listen", reason, { address });
  }
  // The runtime does not say that it does not know a name.
  const hostname = await resolveName("listen", address);
  const add = (socket: BunSocket) => listener.add(openTcp(socket, settings));
  const { port } = address;
  const server = runtime.listen({ ...socketOptions({ hostname, port }, add), reusePort });
  const own = withoutZone(hostname);
  // The runtime gives the caller's spelling of an IPv6 address.
  const octets = octetsOf(own);
  const bound = fromRuntimeAddress({
    hostname: octets === undefined ? own : hostOf(octets),
    port: server.port,
  });
  const listener = new BunListener(server, withZoneOf(address.host, bound));
  return listener;
}

/**
 * Connects through the runtime, which resolves the name and tries each address. It cannot stop the attempt: the caller
 * closes a connection that comes after its signal.
 */
async function connect(
  runtime: BunRuntime,
  { host, port }: Address,
  settings: TcpSettings,
): Promise<Transport> {
  let stream: BunStream | undefined;
  const open = (socket: BunSocket) => void (stream = openTcp(socket, settings));
  await runtime.connect(socketOptions({ hostname: host, port }, open));
  return stream!;
}

function openTcp(socket: BunSocket, settings: TcpSettings): BunStream {
  const stream = BunStream.overTcp(socket);
  stream.applySettings(settings);
  return stream;
}
