import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Address } from "../../mod.ts";

/**
 * A client that tells every end apart: the runtime's own reads take a reset for an end of stream where a
 * write was told of it first.
 */
export class BareClient {
  readonly #socket: Socket;
  readonly #chunks: Uint8Array[] = [];
  readonly #over = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  /** The system's name of what broke the connection. */
  code: string | undefined;
  /** Whether the server has ended its side in order. */
  ended = false;

  private constructor(socket: Socket, take?: (bytes: Uint8Array) => void) {
    this.#socket = socket;
    socket.on("error", (error) => this.code = (error as Error & { code?: string }).code);
    socket.on("data", take ?? ((bytes: Uint8Array) => this.#chunks.push(bytes)));
    socket.on("end", () => {
      this.ended = true;
      this.#over.resolve();
      socket.end();
    });
    socket.on("close", () => {
      this.#over.resolve();
      this.#closed.resolve();
    });
  }

  /** @param take Gets what comes, which is kept in `received` otherwise. */
  static async connect(
    { host, port }: Address,
    localAddress?: string,
    take?: (bytes: Uint8Array) => void,
  ): Promise<BareClient> {
    const socket = connect({ host, port, localAddress, allowHalfOpen: true });
    const client = new BareClient(socket, take);
    await once(socket, "connect");
    return client;
  }

  get port(): number {
    return this.#socket.localPort!;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Ends its own side. */
  finish(): void {
    this.#socket.end();
  }

  /** Drops the connection, with a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Waits until the server has ended its side, in order or not. */
  async end(): Promise<void> {
    await this.#over.promise;
  }

  /** Waits until both sides are over. */
  async closed(): Promise<void> {
    await this.#closed.promise;
  }

  /** What has come so far. */
  get received(): Uint8Array {
    const all = new Uint8Array(this.#chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}
