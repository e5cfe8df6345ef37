import type { Buffer } from "node:buffer";
import process from "node:process";
import {
  checkServerIdentity,
  connect,
  type PeerCertificate as NodeCertificate,
  type SecureContext,
  TLSSocket,
} from "node:tls";
import type { Transport, TransportAddress } from "../types.ts";
import { type DuplexOwner, GatedDuplex, turn } from "./gated_duplex.ts";
import {
  brokenPipe,
  closedError,
  endedEarly,
  perhapsRefused,
  truncated,
} from "./session_errors.ts";

/** Bytes of a write that are encrypted at once: more would wait encrypted for a peer that does not read. */
const LARGEST_WRITE_BYTES = 64 * 1024;

/** True on Bun, which ends both directions of a session at the peer's `close_notify`, and takes writes all the same. */
const endsBothDirections = "bun" in process.versions;

/** Settings of one TLS session. */
export interface NodeTlsSettings {
  readonly role: "client" | "server";
  readonly context: SecureContext;
  /** For a client: the host that the certificate must be for. */
  readonly host: string | undefined;
  /** For a client: the name that the server is asked for; undefined for an IP address. */
  readonly serverName: string | undefined;
  readonly alpnProtocols: readonly string[] | undefined;
  /** True if a read of the transport may still be under way after its `close`. */
  readonly readsForever: boolean;
  /** For a server: true if the client must show a certificate. */
  readonly requestsCertificate: boolean;
  /** For a client: true if it has a certificate to show. */
  readonly showsCertificate: boolean;
}

/** The result of a handshake. */
export interface NodeTlsSession {
  readonly protocol: string;
  readonly cipher: string | undefined;
  readonly alpnProtocol: string | undefined;
  readonly serverName: string | undefined;
  /** The certificates that the peer sent, its own first, in DER. */
  readonly chain: readonly Uint8Array<ArrayBuffer>[];
  /** The error that the platform's verifier found; undefined if it found none. */
  readonly verifierError: string | undefined;
}

/** The fields of a certificate of `node:tls` that are used here. */
interface PeerCertificate {
  readonly raw?: Uint8Array;
  readonly issuerCertificate?: PeerCertificate;
}

interface WithVerifyError {
  verifyError(): unknown;
}

interface PendingRead {
  readonly buffer: Uint8Array;
  resolve(count: number | null): void;
  reject(error: unknown): void;
}

interface PendingWrite {
  reject(error: unknown): void;
}

/** Runs TLS over any transport with `node:tls`. */
export class NodeTls implements Transport, DuplexOwner {
  readonly localAddr: TransportAddress | undefined;
  readonly remoteAddr: TransportAddress | undefined;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  readonly #transport: Transport;
  readonly #duplex: GatedDuplex;
  readonly #socket: TLSSocket;
  readonly #settings: NodeTlsSettings;
  readonly #handshake: PromiseWithResolvers<NodeTlsSession> = Promise.withResolvers();
  readonly #chunks: Uint8Array[] = [];
  #read: PendingRead | undefined;
  #write: PendingWrite | undefined;
  /** True after the handshake. */
  #secured = false;
  /** True after the peer has sent a byte of data, or has ended its side in order. */
  #peerSpoke = false;
  #peerEnded = false;
  #readError: { readonly error: unknown } | undefined;
  #writeError: { readonly error: unknown } | undefined;
  #closed = false;

  /** @param first Bytes that were read before the TLS begins. */
  constructor(transport: Transport, first: readonly Uint8Array[], settings: NodeTlsSettings) {
    this.#transport = transport;
    this.#settings = settings;
    this.localAddr = transport.localAddr;
    this.remoteAddr = transport.remoteAddr;
    if (transport.ref !== undefined && transport.unref !== undefined) {
      this.ref = () => transport.ref!();
      this.unref = () => transport.unref!();
    }
    this.#duplex = new GatedDuplex(transport, first, this);
    this.#handshake.promise.catch(() => {});
    this.#socket = settings.role === "client" ? this.#connect() : this.#serve();
    catchUnreadable(this.#socket);
    this.#listen();
    // The TLS begins in the next tick, and reads after that.
    setImmediate(() => {
      if (!this.#closed) this.#duplex.openGate();
    });
  }

  #connect(): TLSSocket {
    const { context, host, serverName, alpnProtocols } = this.#settings;
    return connect({
      socket: this.#duplex,
      secureContext: context,
      host,
      ...serverName === undefined ? {} : { servername: serverName },
      ...alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] },
      // The verdict is asked for after the handshake, when the reason is known.
      rejectUnauthorized: false,
      checkServerIdentity: hostError,
    });
  }

  #serve(): TLSSocket {
    const { context, alpnProtocols, requestsCertificate } = this.#settings;
    return new TLSSocket(this.#duplex, {
      isServer: true,
      secureContext: context,
      requestCert: requestsCertificate,
      // A client without a certificate gets the alert that says so. The verdict on others comes after the handshake.
      rejectUnauthorized: requestsCertificate,
      ...alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] },
    });
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("error", (error: unknown) => this.#onTlsError(error));
    socket.on("_tlsError", (error: unknown) => this.#onTlsError(error));
    socket.on("data", (bytes: Buffer) => this.#onData(bytes));
    socket.on("end", () => this.#onEnd());
    socket.on(
      this.#settings.role === "client" ? "secureConnect" : "secure",
      () => this.#onSecure(),
    );
  }

  /** Resolves when the handshake is done. Nothing says then that the peer is to be trusted. */
  waitHandshake(): Promise<NodeTlsSession> {
    return this.#handshake.promise;
  }

  #onSecure(): void {
    if (this.#closed) return;
    this.#secured = true;
    this.#duplex.noteResult();
    try {
      this.#handshake.resolve(this.#session());
      this.#duplex.closeGate();
    } catch (error) {
      this.#handshake.reject(error);
    }
  }

  #session(): NodeTlsSession {
    const socket = this.#socket;
    const { alpnProtocol } = socket;
    const { role, serverName } = this.#settings;
    return {
      protocol: socket.getProtocol() ?? "TLS",
      cipher: socket.getCipher()?.name,
      alpnProtocol: typeof alpnProtocol === "string" ? alpnProtocol : undefined,
      serverName,
      chain: chainOf(socket.getPeerCertificate(true) as PeerCertificate),
      verifierError: role === "client" ? this.#clientVerdict() : this.#serverVerdict(),
    };
  }

  #clientVerdict(): string | undefined {
    const { authorized, authorizationError } = this.#socket;
    if (authorized === true) return undefined;
    return String(authorizationError ?? "not authorized");
  }

  #serverVerdict(): string | undefined {
    if (!this.#settings.requestsCertificate) return undefined;
    const { ssl } = this.#socket as unknown as { ssl: WithVerifyError };
    const found = ssl.verifyError();
    return found === "" || found === null || found === undefined ? undefined : String(found);
  }

  #onTlsError(error: unknown): void {
    if (this.#closed) return;
    this.#failReading(error);
    this.#failWriting(error);
  }

  onReadError(error: unknown): void {
    this.#failReading(this.#explain(error));
  }

  onWriteError(error: unknown): void {
    this.#failWriting(this.#explain(error));
  }

  /** Adds what an end may mean if the peer has seen a certificate, and has sent no data since. */
  #explain(error: unknown): unknown {
    const mayRefuse = this.#settings.showsCertificate && !this.#peerSpoke && this.#duplex.hasRead;
    return mayRefuse ? perhapsRefused(error, this.#secured) : error;
  }

  async onTransportEnd(): Promise<void> {
    // The `close_notify` that came just before it takes its time to be noted.
    await this.#duplex.waitTaken();
    if (this.#peerEnded || this.#closed) return;
    this.#failReading(this.#explain(this.#secured ? truncated() : endedEarly()));
  }

  #onData(bytes: Buffer): void {
    this.#duplex.noteResult();
    this.#peerSpoke = true;
    this.#chunks.push(bytes);
    this.#answer();
  }

  #onEnd(): void {
    this.#peerEnded = true;
    this.#peerSpoke = true;

    if (endsBothDirections) this.#failWriting(brokenPipe());
    this.#handshake.reject(endedEarly());
    this.#answer();
  }

  #failReading(error: unknown): void {
    this.#readError ??= { error };
    this.#handshake.reject(error);
    this.#answer();
  }

  #failWriting(error: unknown): void {
    this.#writeError ??= { error };
    const write = this.#write;
    this.#write = undefined;
    write?.reject(this.#writeError.error);
  }

  /** Answers the read that waits: bytes first, then the end or the error. */
  #answer(): void {
    const read = this.#read;
    if (read === undefined) return;
    if (this.#chunks.length > 0) {
      this.#read = undefined;
      this.#duplex.closeGate();
      read.resolve(this.#take(read.buffer));
    } else if (this.#peerEnded) {
      this.#read = undefined;
      read.resolve(null);
    } else if (this.#readError !== undefined) {
      this.#read = undefined;
      read.reject(this.#readError.error);
    }
  }

  /** Fills a buffer with what was decrypted. */
  #take(buffer: Uint8Array): number {
    const chunks = this.#chunks;
    let filled = 0;
    let used = 0;
    for (; used < chunks.length && filled < buffer.length; used++) {
      const chunk = chunks[used];
      const room = buffer.length - filled;
      if (chunk.length > room) {
        buffer.set(chunk.subarray(0, room), filled);
        chunks[used] = chunk.subarray(room);
        filled = buffer.length;
        break;
      }
      buffer.set(chunk, filled);
      filled += chunk.length;
    }
    chunks.splice(0, used);
    return filled;
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#chunks.length > 0) return Promise.resolve(this.#take(buffer));
    return new Promise((resolve, reject) => {
      this.#read = { buffer, resolve, reject };
      this.#answer();
      if (this.#read !== undefined) this.#duplex.openGate();
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) return Promise.reject(closedError());
    if (this.#writeError !== undefined) return Promise.reject(this.#writeError.error);
    const part = bytes.length > LARGEST_WRITE_BYTES
      ? bytes.subarray(0, LARGEST_WRITE_BYTES)
      : bytes;
    return new Promise((resolve, reject) => {
      const write = this.#write = { reject };
      this.#socket.write(part, async (error) => {
        // Bun calls back before the stream below has taken anything.
        if (error == null && this.#duplex.writableLength > 0) await this.#duplex.waitWritten();
        if (this.#write !== write) return;
        this.#write = undefined;
        if (error == null) resolve(part.length);
        else reject(error);
      });
    });
  }

  /** Sends `close_notify`, and ends the sending direction of the transport if that can be. */
  async closeWrite(): Promise<void> {
    if (this.#closed) throw closedError();
    if (!endsBothDirections || !this.#peerEnded) await this.#end();
    await this.#duplex.waitWritten();
    await this.#transport.closeWrite?.();
  }

  #end(): Promise<void> {
    if (this.#writeError !== undefined) return Promise.reject(this.#writeError.error);
    return new Promise<void>((resolve, reject) => {
      const write = this.#write = { reject };
      this.#socket.end(() => {
        if (this.#write === write) this.#write = undefined;
        resolve();
      });
    });
  }

  /** Ends both directions now, without `close_notify`. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#duplex.stop();
    this.#handshake.reject(closedError());
    this.#write?.reject(closedError());
    try {
      this.#transport.close();
    } catch {
      // It was closed underneath.
    }
    this.#socket.destroy();
    const read = this.#read;
    this.#read = undefined;
    if (read === undefined) return;
    // The descriptor is free when the read of the transport has ended.
    if (this.#settings.readsForever) read.reject(closedError());
    else this.#duplex.waitQuiet().then(() => read.reject(closedError()));
  }

  /** Closes after a handshake that failed: the alert that says why leaves first. */
  async fail(): Promise<void> {
    await turn();
    await turn();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, LONGEST_ALERT_MS);
    await Promise.race([this.#duplex.waitWritten(), promise]);
    clearTimeout(timer);
    this.close();
  }
}

/** A peer that does not even read an alert is not waited for any longer (ms). */
const LONGEST_ALERT_MS = 100;

/**
 * Makes certificates that the runtime cannot read be none. The runtime asks for them by itself when a handshake is done,
 * and what it throws then ends the process.
 */
function catchUnreadable(socket: TLSSocket): void {
  const ask = socket.getPeerCertificate.bind(socket) as (detailed?: boolean) => unknown;
  Object.defineProperty(socket, "getPeerCertificate", {
    value(detailed?: boolean): unknown {
      try {
        return ask(detailed);
      } catch {
        return {};
      }
    },
  });
}

/** Returns why a certificate is not for a host. It never throws, as the platform's does at names that are malformed. */
function hostError(host: string, certificate: NodeCertificate): Error | undefined {
  try {
    return checkServerIdentity(host, certificate);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Lists the certificates that a peer sent, its own first. */
function chainOf(certificate: PeerCertificate | undefined): Uint8Array<ArrayBuffer>[] {
  const chain: Uint8Array<ArrayBuffer>[] = [];
  const seen = new Set<PeerCertificate>();
  for (
    let one = certificate;
    one?.raw !== undefined && !seen.has(one);
    one = one.issuerCertificate
  ) {
    seen.add(one);
    chain.push(new Uint8Array(one.raw));
  }
  return chain;
}
