import { isNamed, toSocketAddress } from "../core/address_check.ts";
import type { SocketAddress, Transport, TransportListener } from "../types.ts";
import { ServerHandshake, type TlsServer } from "./server_handshake.ts";
import { openTls, type TlsStreamConnection } from "./tls_connection.ts";

/**
 * Handshakes under way at once. One more drops the oldest, which is the most likely one to be that of a silent client:
 * others need a few round trips.
 */
const MOST_HANDSHAKES = 1000;
/** Clients that are let in before a call of `accept` waits for them. */
const MOST_WAITING_CLIENTS = 64;

/** A handshake with a client. */
interface PendingClient {
  readonly abort: AbortController;
}

/** A client whose handshake is done. */
interface ReadyClient {
  readonly transport: Transport;
  readonly connection: TlsStreamConnection;
}

/**
 * Accepts clients of another listener and shakes hands with many of them side by side. It gives those whose handshake
 * is done. While nobody accepts, it lets a few in, so that their handshakes are done when somebody does; others wait in
 * the kernel, as the clients of other listeners do.
 */
export class TlsAcceptor implements TransportListener {
  readonly address: SocketAddress | undefined;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  readonly #source: TransportListener;
  readonly #server: TlsServer;
  readonly #sendQueueLimit: number;
  readonly #pending = new Set<PendingClient>();
  /** Sessions that are done, and that no `accept` has taken yet. */
  readonly #ready: ReadyClient[] = [];
  readonly #connections = new WeakMap<Transport, TlsStreamConnection>();
  #waiting: PromiseWithResolvers<Transport> | undefined;
  #asking: Promise<void> | undefined;
  /** The failure of an accept for which no call has waited. */
  #failure: { readonly error: unknown } | undefined;
  #wanted = true;
  #keepsProcess = true;
  #closed = false;

  /** @param sendQueueLimit Bytes of waiting sends that each connection holds at most. */
  constructor(source: TransportListener, server: TlsServer, sendQueueLimit: number) {
    this.#sendQueueLimit = sendQueueLimit;
    this.#source = source;
    this.#server = server;
    this.address = source.address;
    if (source.ref !== undefined && source.unref !== undefined) {
      this.ref = () => this.#setWanted(true);
      this.unref = () => this.#setWanted(false);
    }
    this.#applyReference();
    this.#ask();
  }

  #setWanted(on: boolean): void {
    this.#wanted = on;
    this.#applyReference();
  }

  /** Lets the process end while no call waits: nobody but this object has asked for clients then. */
  #applyReference(): void {
    const keeps = this.#closed || this.#wanted && this.#waiting !== undefined;
    if (keeps === this.#keepsProcess) return;
    this.#keepsProcess = keeps;
    if (keeps) this.#source.ref?.();
    else this.#source.unref?.();
  }

  /** Returns the connection over a transport that `accept` gave. */
  connectionOf(transport: Transport): TlsStreamConnection {
    return this.#connections.get(transport)!;
  }

  accept(): Promise<Transport> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) return Promise.reject(failure.error);
    const waiting = this.#waiting = Promise.withResolvers();
    this.#give();
    this.#applyReference();
    this.#ask();
    return waiting.promise;
  }

  /** Accepts the next client if a call waits for one, or if there is room for one that waits. */
  #ask(): void {
    if (this.#asking !== undefined || this.#failure !== undefined || this.#closed) return;
    const here = this.#pending.size + this.#ready.length;
    if (this.#waiting === undefined && here >= MOST_WAITING_CLIENTS) return;
    this.#asking = this.#source.accept().then((transport) => {
      this.#asking = undefined;
      if (this.#closed) return transport.close();
      this.#shakeHands(transport);
      this.#ask();
    }, (error) => {
      this.#asking = undefined;
      if (this.#closed) return;
      const waiting = this.#waiting;
      this.#waiting = undefined;
      // Whoever asks next gets it: to go on without a pause could spin.
      if (waiting === undefined) this.#failure = { error };
      else waiting.reject(error);
    });
  }

  async #shakeHands(transport: Transport): Promise<void> {
    this.#makeRoom();
    const client: PendingClient = { abort: new AbortController() };
    this.#pending.add(client);
    const address = toSocketAddress(transport.remoteAddr);
    const handshake = new ServerHandshake(this.#server, {
      transport,
      isUntouched: true,
      readsForever: false,
    });
    try {
      const connection = await openTls(transport, handshake, {
        operation: this.#server.operation,
        timeout: this.#server.settings.handshakeTimeout,
        signal: client.abort.signal,
        // Clients of a Unix socket have none.
        address: isNamed(address) ? address : undefined,
      }, this.#sendQueueLimit);
      if (this.#closed) return connection.abort();
      this.#connections.set(transport, connection);
      this.#ready.push({ transport, connection });
      this.#give();
    } catch {
      // The client is gone. Those who observe handshakes know why, and it concerns nobody else.
    } finally {
      this.#pending.delete(client);
      this.#ask();
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
    const client = this.#ready.shift();
    if (client === undefined) return;
    this.#waiting = undefined;
    this.#applyReference();
    waiting.resolve(client.transport);
  }

  async close(): Promise<void> {
    this.#closed = true;
    // The process must not end before the accept that is under way.
    this.#applyReference();
    for (const { abort } of this.#pending) abort.abort();
    for (const { connection } of this.#ready.splice(0)) connection.abort();
    await this.#source.close();
    await this.#asking;
    this.#waiting?.reject(new Error("the listener was closed"));
  }
}
