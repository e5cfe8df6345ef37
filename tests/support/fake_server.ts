import {
  accept,
  type Address,
  closeListener,
  type Connection,
  listen,
  type Listener,
  recvLine,
  send,
} from "../../mod.ts";
import { soon } from "./socket_errors.ts";

const encoder = new TextEncoder();

/** The server's side of one client, which sends any text or bytes, and does nothing by itself. */
export class FakePeer implements AsyncDisposable {
  readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  async send(data: string | Uint8Array): Promise<void> {
    await send(this.connection, typeof data === "string" ? encoder.encode(data) : data);
  }

  /** Returns the client's next line, or null if the client has ended the connection. */
  async line(): Promise<string | null> {
    return await soon(recvLine(this.connection));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection[Symbol.asyncDispose]();
  }
}

/** A server whose test decides about every byte. */
export class FakeServer implements AsyncDisposable {
  readonly #listener: Listener;

  private constructor(listener: Listener) {
    this.#listener = listener;
  }

  static async start(): Promise<FakeServer> {
    return new FakeServer(await listen({ host: "127.0.0.1", port: 0 }));
  }

  get address(): Address {
    return this.#listener.address;
  }

  /** Accepts the next connection. */
  async accept(): Promise<FakePeer> {
    return new FakePeer(await soon(accept(this.#listener)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeListener(this.#listener);
  }
}
