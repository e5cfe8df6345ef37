import { isAbstract } from "../core/unix_path.ts";
import { toUnixAddress } from "../core/address_check.ts";
import type { Transport, TransportListener, UnixAddress } from "../types.ts";
import type { UnixListenSettings } from "./backend.ts";
import { explainDenial } from "./permissions.ts";

/** Listens on a Unix socket, in place of a stale one if the settings say so. */
export async function listenUnix(
  address: UnixAddress,
  settings: UnixListenSettings,
): Promise<TransportListener<UnixAddress>> {
  const { path } = address;
  try {
    if (settings.replaceStale && !isAbstract(path)) await removeStale(path);
    const listener = bind(path, settings.mode);
    try {
      if (settings.mode !== undefined) Deno.chmodSync(path, settings.mode);
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

/**
 * Binds with a umask that lets nobody but the owner connect until chmod, if the program may set one. It is the umask of
 * the process, so it is never wider for the group and others than before, and holds for this one call.
 */
function bind(path: string, mode: number | undefined): Deno.UnixListener {
  const options = { transport: "unix", path } as const;
  if (mode === undefined || !maySetUmask()) return Deno.listen(options);
  const previous = Deno.umask(0o077 | 0o777 & ~mode);
  try {
    return Deno.listen(options);
  } finally {
    Deno.umask(previous);
  }
}

function maySetUmask(): boolean {
  return Deno.permissions.querySync({ name: "sys", kind: "umask" }).state === "granted";
}

/** Removes a socket file if nobody listens on it. Anything else is left to bind(2), which calls it in use. */
async function removeStale(path: string): Promise<void> {
  const found = fileAt(path);
  if (!found?.isSocket || await isAnswered(path)) return;
  const now = fileAt(path);
  if (now === undefined || !isStillThatFile(found, now)) return;
  const moved = moveAway(path);
  // Without permission for another path a process that replaces the same file in these microseconds loses its own.
  if (moved === undefined) return Deno.removeSync(path);
  if (isStillThatFile(found, Deno.lstatSync(moved))) Deno.removeSync(moved);
  else putBack(moved, path);
}

/** Compares the times as well: the inode of a file that is gone may belong to a new one. */
function isStillThatFile(found: Deno.FileInfo, now: Deno.FileInfo): boolean {
  return isSameFile(found, now) && found.mtime?.getTime() === now.mtime?.getTime() &&
    found.birthtime?.getTime() === now.birthtime?.getTime();
}

/** Says if a socket may have a listener. Only a refusal proves that it has none: EAGAIN and EACCES do not. */
async function isAnswered(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    return !(error instanceof Deno.errors.ConnectionRefused);
  }
}

/** Gives the facts of a file, or nothing if there is none or the program may not look. */
function fileAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

function isSameFile(one: Deno.FileInfo, other: Deno.FileInfo): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

class DenoUnixListener implements TransportListener<UnixAddress> {
  readonly address: UnixAddress;
  readonly #listener: Deno.UnixListener;
  /** The socket file. Its inode belongs to no other file while the socket is open. */
  readonly #file: Deno.FileInfo | undefined;
  /** The accept that is under way, or the last one. */
  #accepting: Promise<Transport> | undefined;

  constructor(listener: Deno.UnixListener) {
    const { path } = listener.addr as Deno.UnixAddr;
    this.#listener = listener;
    this.address = toUnixAddress(path);
    this.#file = isAbstract(path) ? undefined : fileAt(path);
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
    const moved = this.#moveForeignFile();
    this.#listener.close();
    // The runtime unlinks the path when its accept has ended.
    await this.#accepting?.catch(() => {});
    if (moved !== undefined) putBack(moved, this.address.path);
  }

  /**
   * Moves a file out of the way that has replaced the listener's own: the runtime unlinks the path at the close,
   * whatever is there. Gives the file's new path. Without permission for that path the file stays, and is lost.
   */
  #moveForeignFile(): string | undefined {
    const { path } = this.address;
    const found = this.#file === undefined ? undefined : fileAt(path);
    if (found === undefined || isSameFile(found, this.#file!)) return undefined;
    return moveAway(path);
  }
}

/** Gives a file a path that nobody knows. Gives nothing if the program has no permission for it. */
function moveAway(path: string): string | undefined {
  const place = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.renameSync(path, place);
    return place;
  } catch {
    return undefined;
  }
}

/** Gives a file its path back, unless a third one has it by now. */
function putBack(place: string, path: string): void {
  try {
    if (fileAt(path) === undefined) Deno.renameSync(place, path);
    else Deno.removeSync(place);
  } catch {
    // Somebody else has moved or removed it.
  }
}
