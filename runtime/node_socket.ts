import { type NetConnectOpts, Socket, type SocketConstructorOpts } from "node:net";

/** The number that the runtime's own streams ask for. It reads as much as it wants. */
const READ_BYTES = 64 * 1024;

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
  #endSeen = false;

  constructor(options: AllOptions) {
    const all = { ...options, allowHalfOpen: true, manualStart: true };
    super(all as SocketConstructorOpts);
  }

  /**
   * Takes over the connection of an accepted socket, which reads nothing. The runtime has no way to make accepted
   * sockets of another class.
   */
  static adopt(accepted: Socket): NodeSocket {
    const owner = accepted as unknown as { _handle: unknown };
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
    if (chunk === null) this.#noteEnd();
    else {
      const { buffer, byteOffset, length } = chunk;
      return this.#observer?.onBytes(new Uint8Array(buffer, byteOffset, length)) ?? false;
    }
    return true;
  }

  /**
   * Asks a second time before it reports the end: if bytes and a reset wait together, libuv 1.51 (Node 22) gives the
   * bytes and then an end, without a look at the error. After an end the system goes on to say so.
   */
  #noteEnd(): void {
    const { _handle: handle } = this as unknown as { _handle: { reading: boolean } | null };
    if (this.#endSeen || handle === null) return this.#observer?.onEnd();
    this.#endSeen = true;
    handle.reading = false;
    this.startReading();
  }

  /** The stream calls it after any failure. What the peer has sent before can still be read. */
  override destroy(error?: Error): this {
    if (this.#disposed) return super.destroy();
    if (error !== undefined && error !== null) this.#observer?.onFailure(error);
    return this;
  }
}
