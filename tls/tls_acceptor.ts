import type { SocketAddress, Transport, TransportListener } from "../types.ts";
import { type EstablishedTls, runHandshake } from "./handshake.ts";
import { ServerHandshake, type TlsServer } from "./server_handshake.ts";

/**
 * Handshakes under way at once. One more drops the oldest, which is the most likely one to be that of a silent client:
 * others need a few round trips.
 */
const MOST_HANDSHAKES = 1000;

/** A handshake with a client. */
interface PendingClient {
  readonly abort: AbortController;
}

/**
 * Accepts clients of another listener and shakes hands with many of them side by side. It gives those whose handshake
 * is done. While nobody accepts, clients wait where they are: in the kernel, as those of other listeners do.
 */
export class TlsAcceptor implements TransportListener {
  readonly address: SocketAddress | undefined;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  readonly #source: TransportListener;
  readonly #server: TlsServer;
  readonly #pending = new Set<PendingClient>();
  /** Sessions that are done, and that no `accept` has taken yet. */
  readonly #ready: EstablishedTls[] = [];
  readonly #sessions = new WeakMap<Transport, EstablishedTls>();
  #waiting: PromiseWithResolvers<Transport> | undefined;
  #asking: Promise<void> | undefined;
  #closed = false;

  constructor(source: TransportListener, server: TlsServer) {
    this.#source = source;
    this.#server = server;
    this.address = source.address;
    if (source.ref !== undefined && source.unref !== undefined) {
      this.ref = () => source.ref!();
      this.unref = () => source.unref!();
    }
  }

  /** Returns the session of a transport that `accept` gave. */
  sessionOf(transport: Transport): EstablishedTls {
    return this.#sessions.get(transport)!;
  }

  accept(): Promise<Transport> {
    const waiting = this.#waiting = Promise.withResolvers();
    this.#give();
    this.#ask();
    return waiting.promise;
  }

  /** Accepts the next client as long as a call waits for one whose handshake is done. */
  #ask(): void {
    if (this.#waiting === undefined || this.#asking !== undefined || this.#closed) return;
    this.#asking = this.#source.accept().then((transport) => {
      this.#asking = undefined;
      if (this.#closed) return transport.close();
      this.#shakeHands(transport);
      this.#ask();
    }, (error) => {
      this.#asking = undefined;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.reject(error);
    });
  }

  async #shakeHands(transport: Transport): Promise<void> {
    this.#makeRoom();
    const client: PendingClient = { abort: new AbortController() };
    this.#pending.add(client);
    const handshake = new ServerHandshake(this.#server, {
      transport,
      isUntouched: true,
      readsForever: false,
    });
    try {
      const session = await runHandshake(handshake, {
        operation: this.#server.operation,
        timeout: this.#server.settings.handshakeTimeout,
        signal: client.abort.signal,
      });
      if (this.#closed) return session.transport.close();
      this.#sessions.set(session.transport, session);
      this.#ready.push(session);
      this.#give();
    } catch {
      // The client is gone, and its handshake concerns nobody else.
    } finally {
      this.#pending.delete(client);
    }
  }

  #makeRoom(): void {
    if (this.#pending.size < MOST_HANDSHAKES) return;
    const [oldest] = this.#pending;
    this.#pending.delete(oldest);
    oldest.abort.abort();
  }

  /** Gives a session that is done to the call that waits. */
  #give(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const session = this.#ready.shift();
    if (session === undefined) return;
    this.#waiting = undefined;
    waiting.resolve(session.transport);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { abort } of this.#pending) abort.abort();
    for (const { transport } of this.#ready.splice(0)) transport.close();
    await this.#source.close();
    await this.#asking;
    this.#waiting?.reject(new Error("the listener was closed"));
  }
}
