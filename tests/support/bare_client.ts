import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Address } from "../../mod.ts";

/**
 * A client that distinguishes a reset from an end of stream. The runtime's own reads give an end of stream for a reset
 * that a write has already reported.
 */
export class BareClient {
  readonly #socket: Socket;
  #port: number | undefined;
  readonly #chunks: Uint8Array[] = [];
  readonly #over = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  /** The system's code of the error that broke the connection. */
  code: string | undefined;
  /** True after the server has ended its side in order. */
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

  /** @param take Gets the received bytes. By default they are kept in `received`. */
  static async connect(
    { host, port }: Address,
    localAddress?: string,
    take?: (bytes: Uint8Array) => void,
  ): Promise<BareClient> {
    const socket = connect({ host, port, localAddress, allowHalfOpen: true });
    const client = new BareClient(socket, take);
    await once(socket, "connect");
    client.#port = socket.localPort;
    return client;
  }

  /** The client's own port. Bun forgets it when the socket is closed. */
  get port(): number {
    return this.#port ??= this.#socket.localPort!;
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Ends the client's side. */
  finish(): void {
    this.#socket.end();
  }

  /** Resets the connection. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Waits until the server has ended its side, in order or not. */
  async end(): Promise<void> {
    await this.#over.promise;
  }

  /** Waits until both sides have ended. */
  async closed(): Promise<void> {
    await this.#closed.promise;
  }

  /** The bytes received until now. */
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
