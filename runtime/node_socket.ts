import { Socket, type SocketConstructorOpts } from "node:net";

/** Bytes of the one buffer that all reads of the runtime fill, as large as the runtime's own. */
const READ_BYTES = 64 * 1024;

/** The buffer into which the runtime reads. What it brings is copied out within the event that says so. */
let shared: Uint8Array<ArrayBuffer> | undefined;

/** Learns what happens to a {@linkcode NodeSocket}. */
export interface SocketObserver {
  /** Gets bytes that may be used within the call only. True if the socket shall go on reading. */
  onBytes(bytes: Uint8Array): boolean;
  /** The peer has ended its side. */
  onEnd(): void;
  /** A read, a write, an attempt to connect or a half-close has failed. */
  onFailure(error: Error): void;
}

/** The options that `net.Socket` has, and its declarations lack or split among several. */
interface AllOptions extends SocketConstructorOpts {
  /** The handle of an accepted socket. */
  handle?: unknown;
  /** The runtime reads nothing until it is asked to. */
  manualStart?: boolean;
  noDelay?: boolean;
  keepAlive?: boolean;
}

/**
 * A socket of Node that reads only if it is asked to, and lives until it is closed.
 *
 * A `net.Socket` reads ahead of its program, and a failed write destroys it, together with everything that waits to be
 * read. The methods that decide so are part of the documented stream interface, and are overridden here.
 */
export class NodeSocket extends Socket {
  #observer: SocketObserver | undefined;
  #disposed = false;

  constructor(options: AllOptions) {
    const buffer = shared ??= new Uint8Array(READ_BYTES);
    super(
      {
        ...options,
        allowHalfOpen: true,
        manualStart: true,
        onread: {
          buffer,
          callback: (count: number) => this.#observer?.onBytes(buffer.subarray(0, count)) ?? false,
        },
      } as SocketConstructorOpts,
    );
  }

  /**
   * Takes over the connection of an accepted socket, which has given up reading. The runtime has no way to make
   * accepted sockets of another class.
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

  /** The runtime calls it with `null` at the end of stream; bytes go another way. */
  override push(): boolean {
    this.#observer?.onEnd();
    return true;
  }

  /** The stream calls it after any failure. What the peer has sent before can still be read. */
  override destroy(error?: Error): this {
    if (this.#disposed) return super.destroy();
    if (error !== undefined && error !== null) this.#observer?.onFailure(error);
    return this;
  }
}
