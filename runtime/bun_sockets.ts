import { fromRuntimeAddress, toUnixAddress, withZoneOf } from "../core/address_check.ts";
import { withoutZone } from "../core/ip_address.ts";
import { isAbstract } from "../core/unix_path.ts";
import { SocketError } from "../errors.ts";
import type {
  Address,
  SocketAddress,
  Transport,
  TransportAddress,
  TransportListener,
  UnixAddress,
} from "../types.ts";
import type { Backend, ListenSettings, TcpSettings, UnixListenSettings } from "./backend.ts";
import { BunListener, type BunServer } from "./bun_listener.ts";
import { type BunSocket, BunStream, STREAM_EVENTS } from "./bun_stream.ts";
import { resolveName } from "./datagram_support.ts";
import { explainNodeFailure } from "./node_errors.ts";
import { nodeFiles } from "./node_files.ts";
import { bindWithMode, ListenerFile } from "./socket_files.ts";

/** The events of a socket, as Bun takes them. */
type Events = typeof STREAM_EVENTS & { open(socket: BunSocket): void };

/** The address that Bun listens on or connects to. */
type Target = { hostname: string; port: number } | { unix: string };

/** The options of sockets of Bun. */
type Options = Target & { allowHalfOpen: boolean; reusePort?: boolean; socket: Events };

/** The part of Bun that this package uses. */
interface BunRuntime {
  listen(options: Options): BunServer;
  connect(options: Options): Promise<BunSocket>;
}

/** The backlog of every listener of Bun. */
const BACKLOG = 512;

/** The address of a socket without a name. The runtime tells no address of a Unix socket, and most clients have none. */
const UNNAMED: TransportAddress = { transport: "unix", path: null };

/** The bytes of an abstract name that Bun takes, without the NUL before it. The system takes one more. */
const LONGEST_ABSTRACT_NAME_BYTES = 106;

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
    throw explainNodeFailure(error, operation, address);
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
  const server = runtime.listen({ ...options({ hostname, port }, add), reusePort });
  const bound = fromRuntimeAddress({ hostname: withoutZone(hostname), port: server.port });
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
  await runtime.connect(options({ hostname: host, port }, open));
  return stream!;
}

function openTcp(socket: BunSocket, settings: TcpSettings): BunStream {
  const stream = BunStream.overTcp(socket);
  stream.applySettings(settings);
  return stream;
}

/** Returns the options of sockets. `open` is called when the runtime has one. */
function options(target: Target, open: (socket: BunSocket) => void): Options {
  return { ...target, allowHalfOpen: true, socket: { ...STREAM_EVENTS, open } };
}

class BunUnixListener extends BunListener<UnixAddress> {
  readonly #file: ListenerFile;

  constructor(server: BunServer, path: string) {
    super(server, toUnixAddress(path));
    this.#file = new ListenerFile(nodeFiles, path);
  }

  /** The path is free after this: the runtime unlinks it within the call. */
  override close(): void {
    const moved = this.#file.moveForeignFile();
    super.close();
    this.#file.restoreForeignFile(moved);
  }
}

/** Listens on a Unix socket. */
function listenUnix(
  runtime: BunRuntime,
  address: UnixAddress,
  { mode, replaceStale }: UnixListenSettings,
): TransportListener<UnixAddress> {
  const { path } = address;
  checkNameLength("listen", address);
  if (replaceStale && !isAbstract(path)) {
    // It says ECONNREFUSED for EAGAIN and EPROTOTYPE as well.
    const reason = "replaceStale: Bun does not tell a socket that nobody listens on from a busy " +
      "one, remove the file if you know that nobody uses it";
    throw new SocketError("Unsupported", "listen", reason, { address });
  }
  const local: TransportAddress = { transport: "unix", path };
  const add = (socket: BunSocket) => listener.add(new BunStream(socket, local, UNNAMED));
  const bind = () => runtime.listen(options({ unix: path }, add));
  const server = bindWithMode(nodeFiles, mode, bind);
  const listener = new BunUnixListener(server, path);
  try {
    if (mode !== undefined) nodeFiles.chmod(path, mode);
  } catch (error) {
    listener.close();
    throw error;
  }
  return listener;
}

/** Connects to a Unix socket. There is no way to stop it: the system answers at once. */
async function connectUnix(runtime: BunRuntime, address: UnixAddress): Promise<Transport> {
  checkNameLength("connect", address);
  const { path } = address;
  let stream: BunStream | undefined;
  const remote: TransportAddress = { transport: "unix", path };
  const open = (socket: BunSocket) => void (stream = new BunStream(socket, UNNAMED, remote));
  await runtime.connect(options({ unix: path }, open));
  return stream!;
}

function checkNameLength(operation: string, address: UnixAddress): void {
  const { path } = address;
  if (!isAbstract(path)) return;
  const { length } = new TextEncoder().encode(path.slice(1));
  if (length <= LONGEST_ABSTRACT_NAME_BYTES) return;
  const reason = `Bun takes at most ${LONGEST_ABSTRACT_NAME_BYTES} bytes of an abstract name`;
  throw new SocketError("Unsupported", operation, reason, { address });
}
