import { isAbstract } from "../core/unix_path.ts";
import { toUnixAddress } from "../core/address_check.ts";
import type { Transport, TransportListener, UnixAddress } from "../types.ts";
import type { UnixListenSettings } from "./backend.ts";
import { explainDenial } from "./permissions.ts";
import { bindWithMode, ListenerFile, removeStale, type SocketFiles } from "./socket_files.ts";

/** Listens on a Unix socket, in place of a stale one if the settings say so. */
export async function listenUnix(
  address: UnixAddress,
  { mode, replaceStale }: UnixListenSettings,
): Promise<TransportListener<UnixAddress>> {
  const { path } = address;
  try {
    if (replaceStale && !isAbstract(path)) await removeStale(files, path, () => isRefused(path));
    const bind = () => Deno.listen({ transport: "unix", path });
    const listener = bindWithMode(files, mode, bind);
    try {
      if (mode !== undefined) files.chmod(path, mode);
      return new DenoUnixListener(listener);
    } catch (error) {
      listener.close();
      throw error;
    }
  } catch (error) {
    throw explainDenial(error, "listen", address);
  }
}

/** Connects to a Unix socket. The runtime has no way to stop it: the system answers at once. */
export async function connectUnix(address: UnixAddress): Promise<Transport> {
  try {
    return await Deno.connect({ transport: "unix", path: address.path });
  } catch (error) {
    throw explainDenial(error, "connect", address);
  }
}

const files: SocketFiles = {
  look(path) {
    const { isSocket, dev, ino, mtime, birthtime } = Deno.lstatSync(path);
    return {
      isSocket: isSocket === true,
      inode: `${dev}:${ino}`,
      times: `${birthtime?.getTime()}:${mtime?.getTime()}`,
    };
  },
  rename: (from, to) => Deno.renameSync(from, to),
  remove: (path) => Deno.removeSync(path),
  chmod: (path, mode) => Deno.chmodSync(path, mode),
  setUmask(mask) {
    const { state } = Deno.permissions.querySync({ name: "sys", kind: "umask" });
    return state === "granted" ? Deno.umask(mask) : undefined;
  },
};

/** Says if nobody listens on a socket. Only a refusal proves that: EAGAIN and EACCES do not. */
async function isRefused(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}

class DenoUnixListener implements TransportListener<UnixAddress> {
  readonly address: UnixAddress;
  readonly #listener: Deno.UnixListener;
  readonly #file: ListenerFile;
  /** The accept that is under way, or the last one. */
  #accepting: Promise<Transport> | undefined;

  constructor(listener: Deno.UnixListener) {
    const { path } = listener.addr as Deno.UnixAddr;
    this.#listener = listener;
    this.address = toUnixAddress(path);
    this.#file = new ListenerFile(files, path);
  }

  accept(): Promise<Transport> {
    return this.#accepting = this.#listener.accept();
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }

  async close(): Promise<void> {
    const moved = this.#file.moveForeignFile();
    this.#listener.close();
    // The runtime unlinks the path when its accept has ended.
    await this.#accepting?.catch(() => {});
    this.#file.restoreForeignFile(moved);
  }
}
