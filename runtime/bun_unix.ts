import { toUnixAddress } from "../core/address_check.ts";
import { isAbstract } from "../core/unix_path.ts";
import { SocketError } from "../errors.ts";
import type { Transport, TransportAddress, TransportListener, UnixAddress } from "../types.ts";
import type { UnixListenSettings } from "./backend.ts";
import { BunListener, type BunRuntime, type BunServer, socketOptions } from "./bun_listener.ts";
import { type BunSocket, BunStream } from "./bun_stream.ts";
import { nodeFiles } from "./node_files.ts";
import { bindWithMode, ListenerFile } from "./socket_files.ts";

/** The address of a socket without a name. The runtime tells no address of a Unix socket, and most clients have none. */
const UNNAMED: TransportAddress = { transport: "unix", path: null };

/** The bytes of an abstract name that Bun takes, without the NUL before it. The system takes one more. */
const LONGEST_ABSTRACT_NAME_BYTES = 106;

/** Listens on a Unix socket. */
export function listenUnix(
  runtime: BunRuntime,
  address: UnixAddress,
  { mode, replaceStale }: UnixListenSettings,
): TransportListener<UnixAddress> {
  const { path } = address;
  checkNameLength("listen", address);
  if (replaceStale && !isAbstract(path)) {
    // It says ECONNREFUSED for EAGAIN and EPROTOTYPE as well.
    const reason =
      "replaceStale needs to know if a listener is busy or gone, and Bun does not say " +
      "it: remove the file if you know that nobody listens on it";
    throw new SocketError("Unsupported", "listen", reason, { address });
  }
  const local: TransportAddress = { transport: "unix", path };
  const add = (socket: BunSocket) => listener.add(new BunStream(socket, local, UNNAMED));
  const bind = () => runtime.listen(socketOptions({ unix: path }, add));
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
export async function connectUnix(runtime: BunRuntime, address: UnixAddress): Promise<Transport> {
  checkNameLength("connect", address);
  const { path } = address;
  let stream: BunStream | undefined;
  const remote: TransportAddress = { transport: "unix", path };
  const open = (socket: BunSocket) => void (stream = new BunStream(socket, UNNAMED, remote));
  await runtime.connect(socketOptions({ unix: path }, open));
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
