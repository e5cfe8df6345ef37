import { isAbstract } from "../core/unix_path.ts";

/** The facts of a file that say if it is still the same one. */
export interface FileFacts {
  readonly isSocket: boolean;
  /** The device and the inode, which no other file has while this one exists. */
  readonly inode: string;
  /** The times of its birth and its last change. */
  readonly times: string;
}

/** The part of a runtime's file system that listeners of Unix sockets need. What it throws is the runtime's own. */
export interface SocketFiles {
  /** Looks at a file, and follows no link. */
  look(path: string): FileFacts;
  rename(from: string, to: string): void;
  remove(path: string): void;
  chmod(path: string, mode: number): void;
  /** Sets the umask of the process and returns the previous one, or returns nothing if the program may not set it. */
  setUmask(mask: number): number | undefined;
}

/**
 * Binds with a umask that lets nobody but the owner connect until chmod, if the program may set one. It is the umask of
 * the process, so it is never wider for the group and others than before, and holds for this one call.
 */
export function bindWithMode<T>(files: SocketFiles, mode: number | undefined, bind: () => T): T {
  if (mode === undefined) return bind();
  const previous = files.setUmask(0o077 | 0o777 & ~mode);
  try {
    return bind();
  } finally {
    if (previous !== undefined) files.setUmask(previous);
  }
}

/**
 * Removes a socket file if nobody listens on it. Anything else is left to bind(2), which calls it in use.
 *
 * @param isRefused Connects, and says if the system has refused it since nobody listens: EAGAIN and EACCES do not.
 */
export async function removeStale(
  files: SocketFiles,
  path: string,
  isRefused: () => Promise<boolean>,
): Promise<void> {
  const found = fileAt(files, path);
  if (!found?.isSocket || !await isRefused()) return;
  const now = fileAt(files, path);
  if (now === undefined || !isStillThatFile(found, now)) return;
  const moved = moveAway(files, path);
  // Without permission for another path a process that replaces the same file in these microseconds loses its own.
  if (moved === undefined) return files.remove(path);
  if (isStillThatFile(found, files.look(moved))) files.remove(moved);
  else putBack(files, moved, path);
}

/** The file of a listener. Every runtime unlinks the path when the listener closes, whatever is there by then. */
export class ListenerFile {
  readonly #files: SocketFiles;
  readonly #path: string;
  /** The facts of the listener's own file. Its inode belongs to no other file while the socket is open. */
  readonly #own: FileFacts | undefined;

  constructor(files: SocketFiles, path: string) {
    this.#files = files;
    this.#path = path;
    this.#own = isAbstract(path) ? undefined : fileAt(files, path);
  }

  /**
   * Moves a file out of the way that has replaced the listener's own, and gives its new path. Without permission for
   * that path the file stays, and is lost.
   */
  moveForeignFile(): string | undefined {
    const found = this.#own === undefined ? undefined : fileAt(this.#files, this.#path);
    if (found === undefined || found.inode === this.#own!.inode) return undefined;
    return moveAway(this.#files, this.#path);
  }

  /** Gives a file that was moved its path back. */
  restoreForeignFile(moved: string | undefined): void {
    if (moved !== undefined) putBack(this.#files, moved, this.#path);
  }
}

/** Compares the times as well: the inode of a file that is gone may belong to a new one. */
function isStillThatFile(found: FileFacts, now: FileFacts): boolean {
  return found.inode === now.inode && found.times === now.times;
}

/** Gives the facts of a file, or nothing if there is none or the program may not look. */
function fileAt(files: SocketFiles, path: string): FileFacts | undefined {
  try {
    return files.look(path);
  } catch {
    return undefined;
  }
}

/** Gives a file a path that nobody knows. Gives nothing if the program has no permission for it. */
function moveAway(files: SocketFiles, path: string): string | undefined {
  const place = `${path}.${crypto.randomUUID()}`;
  try {
    files.rename(path, place);
    return place;
  } catch {
    return undefined;
  }
}

/** Gives a file its path back, unless a third one has it by now. */
function putBack(files: SocketFiles, place: string, path: string): void {
  try {
    if (fileAt(files, path) === undefined) files.rename(place, path);
    else files.remove(place);
  } catch {
    // Somebody else has moved or removed it.
  }
}
