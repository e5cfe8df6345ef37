import { createServer, type Server } from "node:net";
import { toUnixAddress } from "../core/address_check.ts";
import { isAbstract } from "../core/unix_path.ts";
import type { Transport, TransportAddress, TransportListener, UnixAddress } from "../types.ts";
import type { UnixListenSettings } from "./backend.ts";
import { explainNodeFailure } from "./node_errors.ts";
import { fileScopes, nodeFiles, restoreCode } from "./node_files.ts";
import { NodeListener, SERVER_OPTIONS } from "./node_listener.ts";
import { checkPermission } from "./node_permissions.ts";
import { NodeSocket, openSocket } from "./node_socket.ts";
import { NodeStream } from "./node_stream.ts";
import { bindWithMode, ListenerFile, removeStale } from "./socket_files.ts";

/** The address of a socket without a name. The runtime tells no address of a Unix socket, and most clients have none. */
const UNNAMED: TransportAddress = { transport: "unix", path: null };

/** Listens on a Unix socket with `node:net`, in place of a stale one if the settings say so. */
export async function listenUnix(
  address: UnixAddress,
  { mode, ...settings }: UnixListenSettings,
): Promise<TransportListener<UnixAddress>> {
  const { path } = address;
  const replaceStale = settings.replaceStale && !isAbstract(path);
  checkPermission("listen", address, fileScopes({ mode, replaceStale }));
  const server = createServer(SERVER_OPTIONS);
  try {
    if (replaceStale) await removeStale(nodeFiles, path, () => isRefused(path));
    await bind(server, path, mode);
    return new NodeUnixListener(server, path);
  } catch (error) {
    server.close();
    throw explainNodeFailure(restoreCode(error, path), "listen", address);
  }
}

/** Connects to a Unix socket with `node:net`. There is no way to stop it: the system answers at once. */
export async function connectUnix(address: UnixAddress): Promise<Transport> {
  checkPermission("connect", address);
  const { path } = address;
  const socket = new NodeSocket({});
  try {
    await openSocket(socket, { path });
    return new NodeStream(socket, UNNAMED, { transport: "unix", path });
  } catch (error) {
    throw explainNodeFailure(error, "connect", address);
  }
}

/** Binds within the call, so that a umask may hold for it, and resolves when the server listens. */
async function bind(server: Server, path: string, mode: number | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  // A worker of `node:cluster` would share the socket of another process.
  bindWithMode(nodeFiles, mode, () => server.listen({ path, exclusive: true }, resolve));
  if (mode !== undefined && server.listening) nodeFiles.chmod(path, mode);
  await promise;
  server.removeListener("error", reject);
}

/** Says if nobody listens on a socket. Only a refusal proves that: EAGAIN and EACCES do not. */
async function isRefused(path: string): Promise<boolean> {
  const socket = new NodeSocket({});
  try {
    await openSocket(socket, { path });
    socket.dispose();
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === "ECONNREFUSED";
  }
}

class NodeUnixListener extends NodeListener<UnixAddress> {
  readonly #file: ListenerFile;

  constructor(server: Server, path: string) {
    const local: TransportAddress = { transport: "unix", path };
    super(server, toUnixAddress(path), {
      open: (socket) => new NodeStream(socket, local, UNNAMED),
      // The system resets a client whose bytes nobody has read.
      refuse: (socket) => socket.dispose(),
    });
    this.#file = new ListenerFile(nodeFiles, path);
  }

  /** The path is free after this: the runtime unlinks it within the call. */
  override close(): void {
    const moved = this.#file.moveForeignFile();
    super.close();
    this.#file.restoreForeignFile(moved);
  }
}
