/**
 * The shapes that the socket functions take and give: addresses, handles and options. Nothing in
 * this file exists at run time.
 *
 * @module
 */

/**
 * Names a socket by host and port.
 *
 * Addresses that the functions give are frozen. An IPv4 address that IPv6 carries (`::ffff:a.b.c.d`) is given as
 * `a.b.c.d`, and `host` never has brackets. A host must always be named: there is no default that would listen on every
 * interface.
 *
 * @example A listening address on loopback, port chosen by the system
 * ```ts
 * import type { Address } from "jsr:@aivi/sockets";
 *
 * const address: Address = { host: "127.0.0.1", port: 0 };
 * ```
 */
export interface Address {
  /**
   * An IPv4 or IPv6 address without brackets, or a host name. An IPv6 address may have a zone, the name or number of
   * an interface: `fe80::1%eth0`. The address of a peer has none, since the runtime drops it.
   */
  readonly host: string;
  /** 1 to 65535. For listening and binding, 0 lets the system choose. */
  readonly port: number;
}

/** Holds one UDP datagram that came in. */
export interface Datagram {
  /** The sender's address. */
  readonly from: Address;
  /** The whole payload, in a buffer of its own that is at most twice its size or 4 KiB: to keep it keeps no other memory. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Sets when a call that waits for a peer gives up. */
export interface OperationOptions {
  /**
   * Cancels the call: it rejects `Aborted`, with the signal's reason in `cause`. A signal that is aborted already
   * rejects it before any I/O.
   */
  signal?: AbortSignal;
  /**
   * Milliseconds after which the call rejects `TimedOut`, from 0 to `Infinity`. 0 rejects before any I/O: it is no poll.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/** Options of every TCP connection, connected or accepted. */
export interface TcpOptions extends ConnectionOptions {
  /**
   * Sends small writes at once instead of waiting for an acknowledgement (`TCP_NODELAY`).
   *
   * @default {true}
   */
  noDelay?: boolean;
  /**
   * Lets the kernel probe a connection that has been silent for long (`SO_KEEPALIVE`).
   *
   * @default {true}
   */
  keepAlive?: boolean;
}

/** Options of `listen`. The connections that the listener accepts get those of {@linkcode TcpOptions}. */
export interface ListenOptions extends TcpOptions {
  /**
   * Clients that may wait in the kernel until they are accepted. Bun always has 512: any other number is `Unsupported`
   * there.
   *
   * @default {511}
   */
  backlog?: number;
  /**
   * Lets several processes listen on one port; the kernel spreads the clients among them. On Deno it needs
   * `--unstable-net` and is `Unsupported` without it.
   *
   * @default {false}
   */
  reusePort?: boolean;
}

/** Options of `connect`. `timeout` and `signal` cover the name resolution and every attempt. */
export interface ConnectOptions extends TcpOptions, OperationOptions {}

/** Sets how much a receiving call takes, and when it gives up. */
export interface RecvOptions extends OperationOptions {
  /**
   * The most bytes that the call gives: a whole number of at least 1, or `Infinity`. Further bytes of the same read are
   * the next call's.
   *
   * @default {Infinity}
   */
  maxBytes?: number;
}

/** Sets the patience of a close. */
export interface CloseOptions extends OperationOptions {
  /**
   * Milliseconds without a byte from the peer after which the close stops waiting for its end of stream, from 0 to
   * `Infinity`. The wait begins when everything was sent; bytes that come meanwhile are discarded. A peer that goes on
   * sending gets at most 30 seconds, or `linger` if that is longer; then `close` rejects `TimedOut`. 0 closes right
   * after the flush: if the peer still sends then, sent data may be lost, and no error says so.
   *
   * @default {1000}
   */
  linger?: number;
  /**
   * Milliseconds without a byte leaving after which the close gives up the bytes that wait, from 0 to `Infinity`. Linux
   * takes bytes in steps of up to 1.4 MB: your slowest peer should need less time for that. It is late by at most a quarter of the shorter of this and `firstByteTimeout`.
   *
   * @default {30000}
   */
  flushTimeout?: number;
}

/** Sets the limits of a connection, whatever it runs over. */
export interface ConnectionOptions {
  /**
   * The most bytes of sends that may wait behind the one that is being written. A send that would pass this rejects
   * `QueueFull`; a send on an idle connection may have any size. Each send that waits takes some 300 bytes of memory
   * more, its promise included: if messages are tiny and nobody awaits them, set a lower limit.
   *
   * @default {16777216}
   */
  sendQueueLimit?: number;
}

/** Options of `bindUdp`. */
export interface BindUdpOptions {
  /**
   * Lets several sockets bind the same address (`SO_REUSEADDR`), as multicast receivers do.
   *
   * @default {false}
   */
  reuseAddress?: boolean;
  /**
   * Bytes of datagrams that may wait until those before them are sent, or until their name is resolved. A `sendTo`
   * that would pass this limit rejects `QueueFull`. Each waiting datagram counts 256 bytes more than its payload, so
   * that empty ones are bounded as well. A datagram that the system takes at once counts nothing.
   *
   * @default {16777216}
   */
  sendQueueLimit?: number;
}

/**
 * A TCP port that accepts connections. Iterating gives each client; leaving the iteration leaves the
 * listener open; `await using` closes it.
 */
export interface Listener extends AsyncIterable<Connection>, AsyncDisposable {
  /** The address of the listener, with the port that the system chose. */
  readonly address: Address;
}

/**
 * An ordered stream of bytes in both directions. `await using` closes it.
 *
 * An iteration gives received bytes, chunk by chunk. It ends at the peer's end of stream, or when this side closes or
 * aborts; a broken connection throws. Leaving the iteration leaves the connection open.
 */
export interface Connection extends AsyncIterable<Uint8Array<ArrayBuffer>>, AsyncDisposable {
  /** This side's address. */
  readonly localAddress: Address;
  /** The peer's address, or the client's if a PROXY header named it. */
  readonly remoteAddress: Address;
  /** Bytes that the operating system has taken so far. */
  readonly bytesSent: number;
  /**
   * Bytes of sends that the operating system has not taken yet: those that wait, which `sendQueueLimit` bounds, and
   * those that are being written. `flush` waits for all of them.
   */
  readonly bytesQueued: number;
  /** Bytes that receiving calls have given so far. */
  readonly bytesReceived: number;
  /**
   * The receiving side as a byte stream, for default readers, BYOB readers of any element, pipes and `tee`. It reads
   * nothing ahead. Exhausting or cancelling it does not close the connection unless `writable` has ended too.
   *
   * If a reader releases its lock, a signal aborts a pipe, or the stream is cancelled, the bytes that it waited for go
   * to the next call: `recv` or another reader. A reader's `read` beside another receiving call rejects `Busy`, and the
   * stream goes on; a pipe, a `tee` or an iteration waits until that call has ended. A BYOB read gets whole elements
   * only: if the stream ends within one, it rejects `UnexpectedEof`, the stream is broken, and `recv` gives the bytes
   * that are left. Other failures are those of `recv`.
   *
   * @example Read two numbers of 16 bits, then the rest with a function
   * ```ts
   * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
   * import { assertEquals } from "jsr:@std/assert";
   *
   * await using listener = await listen({ host: "127.0.0.1", port: 0 });
   * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
   * await send(client, new Uint8Array([1, 0, 2, 0, 33]));
   *
   * const reader = server.readable.getReader({ mode: "byob" });
   * const { value } = await reader.read(new Uint16Array(2), { min: 2 });
   * assertEquals(value?.byteLength, 4);
   * reader.releaseLock();
   * assertEquals(await recv(server), new Uint8Array([33]));
   * await Promise.all([close(client), close(server)]);
   * ```
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * The sending side as a stream. A write resolves and rejects as `send`, except that it waits for room if the send
   * queue is full. Closing the stream ends the sending side only, unless `readable` has ended too.
   *
   * Aborting it aborts the connection at once, also while the peer takes nothing. So does the signal of
   * `connection.readable.pipeTo(other.writable, { signal })`. By the standard, a pipe from any other stream aborts its
   * destination only after the write that is under way: `abort` the connection itself then.
   */
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * A bound UDP port. Iterating gives each datagram until the socket is closed; leaving the iteration
 * leaves it open; `await using` closes it.
 */
export interface UdpSocket extends AsyncIterable<Datagram>, AsyncDisposable {
  /** The address of the socket, with the port that the system chose. */
  readonly address: Address;
  /**
   * Datagrams that this side dropped because nobody received them in time. It counts only the receive queue that this
   * package keeps if `Deno.listenDatagram` is missing: the kernel does not say what it drops.
   */
  readonly dropped: number;
}

/** The address of a {@linkcode Transport}, as `Deno.Conn` has it. */
export interface TransportAddress {
  /** The kind of transport, such as `tcp` or `unix`. */
  readonly transport?: string;
  /** The IP address. */
  readonly hostname?: string;
  /** The port. */
  readonly port?: number;
  /** The path of a Unix socket. */
  readonly path?: string | null;
}

/**
 * Moves the bytes of a {@linkcode Connection}. A `Deno.Conn` is one.
 *
 * At most one `read` and one `write` are under way at a time, and `close` is called once. `close` must make a pending
 * `read` end; until then, a `recvInto` that reads straight into the caller's buffer stays pending.
 */
export interface Transport {
  /** Reads into `buffer`. It resolves to the number of bytes, or to `null` at the end of stream. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes from the front of `bytes`. It resolves to the number of bytes that were taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions and frees everything that the transport holds. */
  close(): void;
  /** Ends the sending direction only. It is left out if the transport cannot. */
  closeWrite?(): Promise<void>;
  /** Lets a pending `read` keep the process alive again, after `unref`. */
  ref?(): void;
  /** Lets the process end although a `read` is pending. It is left out, with `ref`, if the transport cannot. */
  unref?(): void;
  /** This side's address, if it has one. */
  readonly localAddr?: TransportAddress;
  /** The peer's address, if it has one. */
  readonly remoteAddr?: TransportAddress;
}

/**
 * Accepts transports. At most one `accept` is under way at a time, and `close` is called once. `close` must make a
 * pending `accept` end.
 */
export interface TransportListener {
  /** Waits for the next client. */
  accept(): Promise<Transport>;
  /** Stops accepting. The address is free after this and a pending `accept` have ended. */
  close(): void | Promise<void>;
  /** The address that it listens on, if it has one. */
  readonly address?: Address;
  /** Lets a pending `accept` keep the process alive again, after `unref`. */
  ref?(): void;
  /** Lets the process end although an `accept` is pending. It is left out, with `ref`, if the listener cannot. */
  unref?(): void;
}

/**
 * The kind of the relayed connection: `tcp`, `udp`, a Unix socket with a stream (`unix`) or datagrams (`unixpacket`), or
 * `unknown` if the proxy does not know it or relays nothing.
 */
export type ProxyTransport = "tcp" | "udp" | "unix" | "unixpacket" | "unknown";

/** One type-length-value field of a version 2 header. */
export interface ProxyTlv {
  /** 0 to 255. 0xE0 to 0xEF are for applications, 0xF0 to 0xF7 for experiments. */
  readonly type: number;
  /** At most 65,532 bytes, in a buffer of their own. */
  readonly value: Uint8Array<ArrayBuffer>;
}

/** Details of the client's TLS, from a proxy that ends it. */
export interface ProxySsl {
  /** True if the client connected over TLS. */
  readonly tls: boolean;
  /** True if the client gave a certificate on this connection. */
  readonly certificateOnConnection: boolean;
  /** True if the client gave a certificate at least once in the TLS session. */
  readonly certificateInSession: boolean;
  /**
   * 0 if the client's certificate was verified, else the proxy's error number. Proxies send 0 without a certificate as
   * well: it means something only beside `certificateInSession`.
   */
  readonly verify: number;
  /** The TLS version, such as `TLSv1.3`. */
  readonly version?: string;
  /** The common name in the client's certificate. */
  readonly commonName?: string;
  /** The cipher in use, such as `ECDHE-RSA-AES128-GCM-SHA256`. */
  readonly cipher?: string;
  /** The algorithm that signed the proxy's certificate, such as `RSA-SHA256`. */
  readonly signatureAlgorithm?: string;
  /** The algorithm of the key in the proxy's certificate, such as `RSA2048`. */
  readonly keyAlgorithm?: string;
  /** The key exchange group, such as `secp256r1`. */
  readonly group?: string;
  /** The algorithm with which the proxy signed the handshake, such as `rsa_pss_rsae_sha256`. */
  readonly signatureScheme?: string;
  /** The client's certificate in DER. */
  readonly clientCertificate?: Uint8Array<ArrayBuffer>;
  /** Fields of other types, in their order. */
  readonly tlvs: readonly ProxyTlv[];
}

/**
 * A PROXY protocol header, frozen: what a proxy says about the connection behind it.
 *
 * Without `source` and `destination` (`LOCAL`, or transport `unknown`) it says nothing about the client, and the peer of
 * the connection itself counts. All of it is as true as its sender is trusted.
 */
export interface ProxyHeader {
  /** 1 for the line of text, 2 for the binary form. */
  readonly version: 1 | 2;
  /** `PROXY` for a relayed connection, `LOCAL` for one of the proxy's own, such as a health check. */
  readonly command: "PROXY" | "LOCAL";
  /** The kind of the relayed connection. */
  readonly transport: ProxyTransport;
  /** The client. IPv6 in its shortest form; port 0 if the proxy says so. */
  readonly source?: Address;
  /** The address that the client connected to. */
  readonly destination?: Address;
  /** True if the header has a CRC32C checksum, which was right then. */
  readonly crc32c: boolean;
  /** The protocol that was negotiated (ALPN), such as `h2`; one character for each byte. */
  readonly alpn?: string;
  /** The host name that the client asked for, from TLS the server name (SNI): at most 255 bytes. */
  readonly authority?: string;
  /** The proxy's identifier of the connection: at most 128 bytes, of any kind. */
  readonly uniqueId?: Uint8Array<ArrayBuffer>;
  /** Details of the client's TLS. */
  readonly ssl?: ProxySsl;
  /** The name of the network namespace. */
  readonly netns?: string;
  /** Fields of other types, in their order; padding (NOOP) is left out. */
  readonly tlvs: readonly ProxyTlv[];
}

/** A received header, and the peer that sent it. */
export interface ReceivedProxyHeader extends ProxyHeader {
  /** The peer of the connection itself: the proxy. */
  readonly peer: Address;
}

/**
 * The fields of a header to write: {@linkcode ProxyHeader} with everything optional. `command` is `PROXY` by default,
 * `transport` is `tcp` if there are addresses, and `ssl.verify` is 1, not verified.
 */
export type ProxyHeaderInit = Readonly<
  Partial<Omit<ProxyHeader, "version" | "ssl">> & { ssl?: Readonly<Partial<ProxySsl>> }
>;

/** Options of `encodeProxyHeader`. */
export interface EncodeProxyHeaderOptions {
  /** 1 for the line of text, 2 for the binary form: the version that the receiver expects. */
  version: 1 | 2;
}

/** The load balancers of a server, which may name their clients. */
export interface ProxyProtocolOptions {
  /**
   * Addresses and networks in CIDR notation, such as `10.0.0.0/8` or `::1`. A peer in one of them must send a header
   * first; a connection of any other peer is closed. IPv4 and IPv6 are matched apart. At most 1,000 connections wait for
   * their header at once: one more drops the oldest.
   */
  trust: string[];
  /**
   * Milliseconds within which the header must have come, at least 1. `firstByteTimeout` and `idleTimeout` begin after
   * the header.
   *
   * @default {10000}
   */
  timeout?: number;
}

/** Options of `serve`. */
export interface ServeOptions {
  /** Ends the server at once, as `shutdown({ timeout: 0 })` does. */
  signal?: AbortSignal;
  /**
   * Maximum number of connections served at once; `whenFull` decides about others. A connection gives its place back
   * when it is closed, even if its handler has not returned then. A connection behind a proxy takes no place until its PROXY header has come.
   *
   * @default {10000}
   */
  maxConnections?: number;
  /**
   * Treatment of clients beyond `maxConnections`. With `"wait"` they stay in the kernel's backlog until there is a
   * place, or until the server ends: then it accepts them, since closing the port would reset them. With `"refuse"` they
   * are closed and counted in `refused`, and `onRefused` is called: for clients that can go elsewhere.
   *
   * @default {"wait"}
   */
  whenFull?: "wait" | "refuse";
  /**
   * Maximum number of connections from one host. Further ones are closed and counted in `refused`, and `onRefused` is
   * called. Behind a proxy the host is the client's. A connection counts until it is closed, so one that lingers after
   * its handler (`linger`) still counts.
   *
   * @default {Infinity}
   */
  maxConnectionsPerHost?: number;
  /**
   * Explains a refusal to the client, in the words of your protocol: send to the connection, and return. After at most
   * one second the connection is closed as `close` does it, and after another second it is dropped. At most 100 calls
   * are under way at once: further refused clients are closed at once, as all are without `onRefused`.
   *
   * It is not called for peers of a server with `proxyProtocol` that are not trusted, or that send no header. Refused
   * connections count in no limit, and not in `active`. What it throws, or rejects with, goes to `onError`.
   */
  onRefused?: (connection: Connection, reason: RefusalReason) => void | Promise<void>;
  /**
   * Milliseconds within which the client's first byte or its end of stream must come; a connection of a silent client
   * is ended. Behind a proxy it is the first byte after the header, and the time counts from there. It is late by as
   * much as `idleTimeout` is.
   *
   * @default {Infinity}
   */
  firstByteTimeout?: number;
  /**
   * Milliseconds after which a connection is ended if no byte moves in either direction: the handler's calls receive
   * nothing, and the system takes nothing of what they send. After the handler has returned, it bounds the delivery of
   * what was sent before; without it, a client that takes nothing has 30 seconds then.
   *
   * Sent bytes move in steps: Linux takes more after a third of its buffer is free, up to 1.4 MB. Your slowest client
   * should need less time for that.
   *
   * @default {Infinity}
   */
  idleTimeout?: number;
  /**
   * Milliseconds without a byte from the client after which the server stops waiting for its end of stream. The wait
   * begins after the handler has returned and everything was sent; see {@linkcode CloseOptions}. Input that still comes
   * is discarded. A client that goes on sending has at most 30 seconds, or `linger` if that is longer; then `onError`
   * hears that sent data may be lost (`TimedOut`).
   *
   * @default {1000}
   */
  linger?: number;
  /**
   * Called with each failure: what a handler threw, connections that a timeout ended (`TimedOut`) or that had no valid PROXY
   * header, answers that a client did not take before its connection was closed, what `onRefused` threw, and, without a
   * connection, a system that is out of descriptors. Without `onError`, a line on standard error says it, and never
   * quotes what was sent or received. If `onError` throws or rejects, a line there says so.
   *
   * It is not called for what handlers throw because one of their signals or the server ended their work, nor of refused
   * connections, nor of a trusted proxy that connects and says nothing, as health checks do.
   */
  onError?: (error: unknown, connection?: Connection) => void;
  /** Reads a PROXY header before each connection, from load balancers that are trusted. */
  proxyProtocol?: ProxyProtocolOptions;
}

/** The limit that a refused client has met. */
export type RefusalReason = "maxConnections" | "maxConnectionsPerHost";

/** Context of one call of the handler. */
export interface ServeContext {
  /**
   * Aborts when the server ends, after the clients in the backlog are in, and before it aborts the connections that are
   * left: calls that wait for a client should end then.
   */
  readonly signal: AbortSignal;
  /** The server that the connection belongs to. */
  readonly server: Server;
  /** The PROXY header that the connection began with, and the proxy that sent it; only with `proxyProtocol`. */
  readonly proxy?: ReceivedProxyHeader;
  /**
   * Aborts when the client has left, even while the handler does not receive: for a handler that computes, or waits for
   * another server. It is the signal of `disconnectSignal`, made at its first use; one buffer is read ahead from then
   * on. `onError` does not hear of a call that it ends.
   */
  readonly disconnected: AbortSignal;
}

/** Options of the end of a server. */
export interface ShutdownOptions {
  /**
   * Milliseconds that connections have to end by themselves; those that are left are aborted then. 0 aborts all of them
   * at once.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/** Connections at the end of a server, by how they ended. */
export interface ShutdownResult {
  /** Connections whose handler came to its end, with everything sent: those under way, and those of the backlog. */
  readonly drained: number;
  /** Connections that the server aborted, since their time was up. */
  readonly aborted: number;
}

/**
 * A running server. `await using` shuts it down, and waits for handlers as long as they take: a handler that may wait
 * for a client for ever should use its `signal`.
 */
export interface Server extends AsyncDisposable {
  /** The address that it listens on. */
  readonly address: Address;
  /** Connections that were accepted, and are not closed yet or have a handler that has not returned. */
  readonly active: number;
  /** Connections that were handed to the handler so far. */
  readonly accepted: number;
  /** Connections that were not served: over a limit, from a peer that is not trusted, or without a PROXY header. */
  readonly refused: number;
  /**
   * Resolves when the server has ended, by `shutdown`, by its `signal` or because the listener was closed: the last
   * handler has returned, or its connection was aborted. It never rejects.
   */
  readonly finished: Promise<void>;
  /**
   * Ends the server: it lets in the clients that wait in the backlog, closes the port, aborts the `signal` of handlers,
   * and waits for them. A further call may set a shorter time. A handler must not await it: the server would wait for that handler for ever.
   *
   * The backlog counts as empty after 25 milliseconds without a client. If clients keep coming, the port is closed and
   * the signal aborted after a tenth of `timeout`, or 50 milliseconds if that is longer, and after 3 seconds at most.
   * Clients that wait then are reset: have a load balancer send them elsewhere first.
   *
   * Rejects with a {@linkcode SocketError} of kind `InvalidInput` only.
   */
  shutdown(options?: ShutdownOptions): Promise<ShutdownResult>;
}
