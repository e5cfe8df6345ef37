import { type NetConnectOpts, Socket, type SocketConstructorOpts } from "node:net";
import process from "node:process";

/** The number that the runtime's own streams ask for. It reads as much as it wants. */
const READ_BYTES = 64 * 1024;

/** The first version of libuv that tells a reset right behind bytes from the end of stream (major, minor). */
const EXACT_ENDS = [1, 52] as const;

/** True if the runtime may report the end of stream where the peer has reset the connection, as Node 22 and 24 do. */
const mistakesResets = isOlder(process.versions.uv, EXACT_ENDS);

function isOlder(version: string | undefined, [major, minor]: readonly [number, number]): boolean {
  const [first, second] = (version ?? "0.0").split(".").map(Number);
  return first < major || first === major && second < minor;
}

/** The part of the runtime's own socket that this module uses. */
interface WithHandle {
  _handle: { readStart(): number } | null;
}

/** Learns what happens to a {@linkcode NodeSocket}. */
export interface SocketObserver {
  /** Gets bytes in a buffer of their own. It returns false to make the socket stop reading. */
  onBytes(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** The peer has ended its side. */
  onEnd(): void;
  /** A read, a write, an attempt to connect or a half-close has failed. */
  onFailure(error: Error): void;
}

/** Connects a new socket, and closes it if that fails. */
export async function openSocket(
  socket: NodeSocket,
  target: NetConnectOpts,
  signal?: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal!.reason);
  socket.observe({ onBytes: () => false, onEnd() {}, onFailure: reject });
  signal?.addEventListener("abort", onAbort);
  try {
    signal?.throwIfAborted();
    socket.connect(target, resolve);
    await promise;
  } catch (error) {
    socket.dispose();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** The options that `net.Socket` has, and its declarations lack or split among several. */
interface AllOptions extends Omit<SocketConstructorOpts, "handle"> {
  /** The handle of an accepted socket. */
  handle?: unknown;
  noDelay?: boolean;
  keepAlive?: boolean;
}

/**
 * A socket of Node that reads only if it is asked to, and lives until it is closed.
 *
 * A `net.Socket` fills a buffer of its own before anybody asks, and a failed write destroys it, together with everything
 * that waits to be read. The methods that decide so are part of the documented stream interface, and overridden here.
 */
export class NodeSocket extends Socket {
  #observer: SocketObserver | undefined;
  #disposed = false;
  #endConfirmed = !mistakesResets;

  constructor(options: AllOptions) {
    const all = { ...options, allowHalfOpen: true, manualStart: true };
    super(all as SocketConstructorOpts);
  }

  /**
   * Takes over the connection of an accepted socket, which reads nothing. The runtime has no way to make accepted
   * sockets of another class.
   */
  static adopt(accepted: Socket): NodeSocket {
    const owner = accepted as unknown as WithHandle;
    const socket = new NodeSocket({ handle: owner._handle });
    owner._handle = null;
    return socket;
  }

  /** Sets who learns of everything that happens from now on. */
  observe(observer: SocketObserver): void {
    this.#observer = observer;
  }

  /** Begins to read, if it does not read already. */
  startReading(): void {
    super._read(READ_BYTES);
  }

  /** True if the system has taken all that was written. The callback of a write comes later. */
  get taken(): boolean {
    return this.writableLength === 0 && this.errored === null;
  }

  /** Closes the socket. Nothing is reported after this. */
  dispose(): void {
    this.#observer = undefined;
    this.#disposed = true;
    super.destroy();
  }

  /** Closes the socket with a reset, so that the peer learns that nobody took what it sent. */
  reset(): void {
    this.#observer = undefined;
    this.#disposed = true;
    super.resetAndDestroy();
  }

  /** The stream calls it to fill its own buffer, which stays empty here. */
  override _read(): void {}

  /** The runtime calls it with what it has read, and with `null` at the end of stream. */
  override push(chunk: Uint8Array<ArrayBuffer> | null): boolean {
    if (chunk === null) this.#onEnd();
    else {
      const { buffer, byteOffset, length } = chunk;
      return this.#observer?.onBytes(new Uint8Array(buffer, byteOffset, length)) ?? false;
    }
    return true;
  }

  /** Reports the end of stream. If it may be a reset, a further read of the system tells: the end comes again. */
  #onEnd(): void {
    if (this.#endConfirmed) return this.#observer?.onEnd();
    this.#endConfirmed = true;
    (this as unknown as WithHandle)._handle?.readStart();
  }

  /** The stream calls it after any failure. What the peer has sent before can still be read. */
  override destroy(error?: Error): this {
    if (this.#disposed) return super.destroy();
    if (error !== undefined && error !== null) this.#observer?.onFailure(error);
    return this;
  }
}
