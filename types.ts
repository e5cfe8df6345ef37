/**
 * The shapes that the socket functions take and give: addresses, handles and options. Nothing in
 * this file exists at run time.
 *
 * @module
 */

/**
 * Where a socket is, or where it should go: a host and a port.
 *
 * Addresses that the functions give are frozen, an IPv4 address that IPv6 carries (`::ffff:a.b.c.d`)
 * is given as `a.b.c.d`, and `host` never has brackets. A host must always be named: there is no
 * default that would listen on every interface.
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
  /** 1 to 65535; 0 where one binds, to let the system choose. */
  readonly port: number;
}

/** One UDP datagram as it came in. */
export interface Datagram {
  /** Who sent it. */
  readonly from: Address;
  /**
   * Its payload, whole, in a buffer of its own that is at most twice its size or 4 KiB: keeping it
   * keeps nothing else in memory.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What every function takes that waits for a peer. */
export interface OperationOptions {
  /**
   * Cancels the call: it rejects `Aborted` with the signal's reason in `cause`. An already aborted
   * signal rejects before any I/O.
   */
  signal?: AbortSignal;
  /**
   * Milliseconds after which the call rejects `TimedOut`: 0 (before any I/O) to `Infinity`.
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
   * Clients that may wait in the kernel until they are accepted.
   *
   * @default {511}
   */
  backlog?: number;
  /**
   * Lets several processes listen on one port; the kernel spreads the clients among them. It needs
   * `--unstable-net` and is `Unsupported` without it.
   *
   * @default {false}
   */
  reusePort?: boolean;
}

/** Options of `connect`. `timeout` and `signal` cover the name resolution and every attempt. */
export interface ConnectOptions extends TcpOptions, OperationOptions {}

/** What a receiving call takes. */
export interface RecvOptions extends OperationOptions {
  /**
   * The most bytes that the call may give: a whole number of at least 1. What one read brought
   * beyond that stays for the next call.
   *
   * @default {Infinity}
   */
  maxBytes?: number;
}

/** How a connection is closed. */
export interface CloseOptions extends OperationOptions {
  /**
   * Milliseconds without a byte from the peer after which the close stops waiting for its end of stream: 0 to
   * `Infinity`. The wait begins when everything was sent, and what comes meanwhile is discarded. A peer that goes on
   * sending is listened to for at most 30 seconds, or `linger` if that is longer; then `close` rejects `TimedOut`.
   * 0 closes right after the flush: if the peer still sends then, sent data may be lost, and nothing says so.
   *
   * @default {1000}
   */
  linger?: number;
  /**
   * Milliseconds without a byte leaving after which the close gives up what waits to be sent: 0 to `Infinity`.
   * Linux takes bytes in steps of up to 1.4 MB: your slowest peer should need less time for that.
   *
   * @default {30000}
   */
  flushTimeout?: number;
}

/** What every connection has, whatever it runs over. */
export interface ConnectionOptions {
  /**
   * Bytes of sends that may wait behind the one that the runtime writes at the moment. A send
   * that would pass it rejects `QueueFull`. Each that waits takes some 300 bytes of memory more,
   * its promise among them: where messages are tiny and nobody awaits them, a lower limit is wiser.
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
 * An ordered stream of bytes in both directions. Iterating gives what is received, chunk by chunk,
 * until the peer's end; leaving the iteration leaves the connection open; `await using` closes it.
 */
export interface Connection extends AsyncIterable<Uint8Array<ArrayBuffer>>, AsyncDisposable {
  /** This side's address. */
  readonly localAddress: Address;
  /** The peer's address; where a PROXY header named the client, the client's. */
  readonly remoteAddress: Address;
  /** The PROXY header that the connection began with, once one was received. */
  readonly proxy?: ReceivedProxyHeader;
  /** How many bytes the operating system took so far. */
  readonly bytesSent: number;
  /**
   * How many bytes of sends the operating system has not taken yet: those that wait, which
   * `sendQueueLimit` bounds, and those that are being written. `flush` waits for all of them.
   */
  readonly bytesQueued: number;
  /** How many bytes receiving calls have given so far. */
  readonly bytesReceived: number;
  /**
   * The receiving side as a byte stream, for default readers, BYOB readers of any element, pipes and `tee`. It reads
   * nothing ahead. Exhausting or cancelling it does not close the connection unless `writable` has ended too.
   *
   * A reader that releases its lock, a pipe that its signal aborts, and a cancel leave the bytes that they waited for
   * to the next call: `recv` or another reader. A reader's `read` beside another receiving call rejects `Busy`, and
   * the stream goes on; a pipe, a `tee` or an iteration waits until that call has ended. A BYOB read gets whole
   * elements only: if the stream ends within one, it rejects `UnexpectedEof`, the stream is broken, and `recv` gives
   * the bytes that are left. Other failures are those of `recv`.
   *
   * @example Read two numbers of 16 bits, then the rest with a function
   * ```ts
   * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
   * import { assertEquals } from "jsr:@std/assert@1";
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
   * `connection.readable.pipeTo(other.writable, { signal })`. A pipe from any other stream tells its destination of
   * its signal only when the write that is under way has ended, as the standard has it: `abort` the connection
   * itself there.
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

/**
 * What a {@linkcode Connection} needs underneath: the part of `Deno.Conn` that moves bytes.
 *
 * At most one `read` and one `write` are under way at a time, and `close` is called once. `close` must
 * make a pending `read` end; until it has, a `recvInto` that reads straight into the caller's buffer
 * stays pending.
 */
export interface Transport {
  /** Reads into `buffer`: how many bytes came, `null` at end of stream. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes from the front of `bytes`: how many were taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions and frees what the transport holds. */
  close(): void;
  /** Ends the sending direction only; left out where the transport cannot. */
  closeWrite?(): Promise<void>;
  /** Lets a pending `read` keep the process alive again; see `unref`. */
  ref?(): void;
  /** Lets the process end although a `read` is pending; left out, with `ref`, where the transport cannot. */
  unref?(): void;
  /** This side's address, if it has one. */
  readonly localAddr?: Deno.Addr;
  /** The peer's address, if it has one. */
  readonly remoteAddr?: Deno.Addr;
}

/**
 * Accepts transports: the part of a listener that a platform provides.
 *
 * At most one `accept` is under way at a time, and `close` is called once. `close` must make a pending `accept` end.
 */
export interface TransportListener {
  /** Gives the next client, ready to use. */
  accept(): Promise<Transport>;
  /** Stops listening. */
  close(): void | Promise<void>;
  /** Lets a pending `accept` keep the process alive again; see `unref`. */
  ref?(): void;
  /** Lets the process end although an `accept` is pending; left out, with `ref`, if the listener cannot do that. */
  unref?(): void;
  /** The address of the listener, if it has one. */
  readonly address?: Address;
}

/**
 * What the proxy relays: `tcp`, `udp`, a Unix socket with a stream (`unix`) or datagrams (`unixpacket`),
 * or `unknown`, where the proxy itself cannot say or says that nothing is relayed.
 */
export type ProxyTransport = "tcp" | "udp" | "unix" | "unixpacket" | "unknown";

/** One type-length-value field of a version 2 header. */
export interface ProxyTlv {
  /** 0 to 255. 0xE0 to 0xEF are for applications, 0xF0 to 0xF7 for experiments. */
  readonly type: number;
  /** At most 65,532 bytes, in a buffer of their own. */
  readonly value: Uint8Array<ArrayBuffer>;
}

/** What a proxy that ends TLS says about the client's side of it. */
export interface ProxySsl {
  /** Whether the client connected over TLS. */
  readonly tls: boolean;
  /** Whether the client gave a certificate on this connection. */
  readonly certificateOnConnection: boolean;
  /** Whether the client gave a certificate at least once in the TLS session. */
  readonly certificateInSession: boolean;
  /**
   * 0 where the client's certificate was verified, else the proxy's error number. Proxies send 0 without
   * a certificate as well: it says something only beside `certificateInSession`.
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
 * What a PROXY protocol header says about the connection that it stands before. Frozen.
 *
 * Where `source` and `destination` are missing (`LOCAL`, or transport `unknown`), the header says nothing
 * about the client: the peer of the connection itself counts. Everything in it is as true as the
 * sender is trusted.
 */
export interface ProxyHeader {
  /** 1 for the line of text, 2 for the binary form. */
  readonly version: 1 | 2;
  /** `PROXY` for a relayed connection, `LOCAL` for one of the proxy's own, such as a health check. */
  readonly command: "PROXY" | "LOCAL";
  /** What is relayed. */
  readonly transport: ProxyTransport;
  /** The client. IPv6 in its shortest form; port 0 where the proxy says so. */
  readonly source?: Address;
  /** Where the client connected to. */
  readonly destination?: Address;
  /** Whether the header has a CRC32C checksum, which then was right. */
  readonly crc32c: boolean;
  /** The protocol that was negotiated (ALPN), such as `h2`; one character for each byte. */
  readonly alpn?: string;
  /** The host name that the client asked for, from TLS the server name (SNI): at most 255 bytes. */
  readonly authority?: string;
  /** What the proxy calls the connection: at most 128 bytes, of any kind. */
  readonly uniqueId?: Uint8Array<ArrayBuffer>;
  /** What the proxy says about the client's TLS. */
  readonly ssl?: ProxySsl;
  /** The name of the network namespace. */
  readonly netns?: string;
  /** Fields of other types, in their order; padding (NOOP) is left out. */
  readonly tlvs: readonly ProxyTlv[];
}

/** A header that a connection began with, and who sent it. */
export interface ReceivedProxyHeader extends ProxyHeader {
  /** The peer that the connection really comes from: the proxy. */
  readonly peer: Address;
}

/**
 * What a header is to say: {@linkcode ProxyHeader} with everything optional. `command` is `PROXY` where it
 * is left out, `transport` is `tcp` where there are addresses, and `ssl.verify` is 1, not verified.
 */
export type ProxyHeaderInit = Readonly<
  Partial<Omit<ProxyHeader, "version" | "ssl">> & { ssl?: Readonly<Partial<ProxySsl>> }
>;

/** How a header is written. */
export interface EncodeProxyHeaderOptions {
  /** 1 for the line of text, 2 for the binary form: what the receiver is set up to read. */
  version: 1 | 2;
}

/** Whom a server lets speak for its clients; see {@linkcode ReceivedProxyHeader}. */
export interface ProxyProtocolOptions {
  /**
   * The load balancers: addresses and networks in CIDR notation, such as `10.0.0.0/8` or `::1`. One of them must
   * send a header first, anybody else's connection is closed. IPv4 and IPv6 are matched apart.
   */
  trust: string[];
  /**
   * Milliseconds within which the header must have come, at least 1. Until then the connection is none that
   * `firstByteTimeout` or `idleTimeout` looks at.
   *
   * @default {10000}
   */
  timeout?: number;
}

/** How a server serves. */
export interface ServeOptions {
  /** Ends the server at once, as `shutdown({ timeout: 0 })` does. */
  signal?: AbortSignal;
  /**
   * Maximum number of connections served at once; `whenFull` says what becomes of others. A connection gives its place
   * back when it is closed, also if its handler has not returned then. Until its PROXY header has come it needs none.
   *
   * @default {10000}
   */
  maxConnections?: number;
  /**
   * What becomes of clients beyond `maxConnections`. With `"wait"` they stay in the kernel's backlog until there is a
   * place; only a server that ends lets them in as well, since closing the port would reset them. With `"refuse"` they
   * are closed, counted in `refused`, and told by `onRefused`: for clients that have somewhere else to go.
   *
   * @default {"wait"}
   */
  whenFull?: "wait" | "refuse";
  /**
   * Maximum number of connections from one host: what comes beyond that is closed, counted in `refused`, and told by
   * `onRefused`. Behind a proxy the host is the client's.
   *
   * @default {Infinity}
   */
  maxConnectionsPerHost?: number;
  /**
   * Tells a client why it is refused, in the words of your protocol: send to the connection, and return. After one
   * second at most the connection is closed, as `close` does it, and a second later it is gone. Of the clients that
   * come while 100 are being told, none is told: they are closed at once, as all are without `onRefused`.
   *
   * It is not called for peers of a server with `proxyProtocol` that are not trusted, or send no header. Such
   * connections count in no limit, and not in `active`. What it throws, or rejects with, goes to `onError`.
   */
  onRefused?: (connection: Connection, reason: RefusalReason) => void | Promise<void>;
  /**
   * Milliseconds within which the first byte must come, or the client's end of stream: connections that never
   * say anything are ended. Behind a proxy it is the first byte after the header, and the time counts from
   * there. It is late by up to a quarter, as `idleTimeout` is.
   *
   * @default {Infinity}
   */
  firstByteTimeout?: number;
  /**
   * Milliseconds after which a connection is ended on which nothing moves, in neither direction: nothing is
   * received by the handler's calls, and the system takes nothing of what it sends. It counts as well while what
   * a handler has sent before it returned still leaves; without it, those who take nothing have 30 seconds then.
   *
   * What is sent moves in steps: on Linux the system takes more when a third of its buffer is free, up to 1.4 MB.
   * Your slowest client should need less time for that.
   *
   * @default {Infinity}
   */
  idleTimeout?: number;
  /**
   * Milliseconds without a byte from the client after which the server stops waiting for its end of stream, once its
   * handler has returned and everything was sent; see {@linkcode CloseOptions}. What it still sends meanwhile is
   * discarded. A client that goes on sending has at most 30 seconds, or `linger` if that is longer; then `onError` hears
   * that sent data may be lost (`TimedOut`).
   *
   * @default {1000}
   */
  linger?: number;
  /**
   * Hears of what went wrong: what a handler threw, the connections that were ended by a timeout (`TimedOut`) or
   * had no valid PROXY header, answers that a client did not take before its connection was closed, what `onRefused`
   * threw, and, without a connection, that the system is out of descriptors. Without it, it is a line on standard error,
   * which never quotes what was sent or received. It may throw, or reject: that is a line there.
   *
   * It is not told of what handlers throw since one of their signals or the server ended them, of connections from
   * hosts that are refused, nor of a trusted proxy that connects and says nothing, as health checks do.
   */
  onError?: (error: unknown, connection?: Connection) => void;
  /** Takes a PROXY header before each connection, from load balancers that are trusted. */
  proxyProtocol?: ProxyProtocolOptions;
}

/** The limit that a refused client has met. */
export type RefusalReason = "maxConnections" | "maxConnectionsPerHost";

/** What a handler is told beside its connection. */
export interface ServeContext {
  /**
   * Aborts when the server ends, once those who waited in the backlog are in, and before it aborts what is left:
   * what waits for the client should come to an end.
   */
  readonly signal: AbortSignal;
  /** The server that the connection belongs to. */
  readonly server: Server;
  /**
   * Aborts when the client has left, also while the handler does not receive: for one that computes, or waits for
   * another server. It is the signal of `disconnectSignal`, made when it is first asked for; from then on one buffer
   * is read ahead. Handed to the calls that the client's leaving should end, what they reject with is nothing that
   * `onError` hears of.
   */
  readonly disconnected: AbortSignal;
}

/** How a server is ended. */
export interface ShutdownOptions {
  /**
   * Milliseconds that connections have to end by themselves; those that are left are aborted then. 0
   * aborts all of them at once.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/** How the connections of a server came to their end. */
export interface ShutdownResult {
  /**
   * Those that were under way, or still waited to be accepted, whose handlers came to their end, and what they
   * had sent has left.
   */
  readonly drained: number;
  /** Those that the server has aborted meanwhile, since their time was up. */
  readonly aborted: number;
}

/**
 * A server that runs. `await using` shuts it down, and waits for handlers as long as they take: those that may wait
 * for a client for ever should heed their `signal`.
 */
export interface Server extends AsyncDisposable {
  /** Where it listens. */
  readonly address: Address;
  /**
   * Connections that are under way, from when they are accepted until they are closed and their handlers have
   * returned.
   */
  readonly active: number;
  /** Connections that were handed to the handler so far. */
  readonly accepted: number;
  /** Connections that were not served: past a limit, not of a trusted proxy, or without a PROXY header. */
  readonly refused: number;
  /**
   * Resolves when the server has ended, by `shutdown`, its `signal` or since the listener was closed: the last
   * handler has returned, or its connection was aborted. It never rejects.
   */
  readonly finished: Promise<void>;
  /**
   * Ends it: no more clients are accepted, once those who wait in the backlog are in; handlers are told through
   * their `signal`, and waited for. Doing it again is fine, and may set a shorter time. A handler that awaits it
   * waits for itself.
   *
   * The backlog is taken for empty when nobody has come for 25 milliseconds. If clients keep coming, the port is closed
   * and handlers are told after a tenth of `timeout`, or 50 milliseconds if that is longer, and after 3 seconds at
   * most. Those who wait then are reset: have a load balancer send them elsewhere first.
   *
   * Rejects with a {@linkcode SocketError} of kind `InvalidInput` only.
   */
  shutdown(options?: ShutdownOptions): Promise<ShutdownResult>;
}
