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

/**
 * Names a Unix socket: a file through which the programs of one machine talk.
 *
 * @example
 * ```ts
 * import type { UnixAddress } from "jsr:@aivi/sockets";
 *
 * const address: UnixAddress = { path: "/run/app.sock" };
 * ```
 */
export interface UnixAddress {
  /**
   * The path of the socket file, at most 107 bytes of UTF-8. A path that begins with `"\0"` is an abstract name of
   * Linux, which needs no file. The empty path is that of an unnamed socket, as clients have it: nobody can connect to
   * it.
   */
  readonly path: string;
  /** Never there: with it, `address.host` of a {@linkcode SocketAddress} is `undefined` for a Unix socket. */
  readonly host?: undefined;
  /** Never there: see `host`. */
  readonly port?: undefined;
}

/** Names a socket of any kind: by host and port, or by the path of a Unix socket. `"path" in address` tells which. */
export type SocketAddress = Address | UnixAddress;

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

/** Options of `listen` on a TCP port. The connections that it accepts get those of {@linkcode TcpOptions}. */
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
   * takes bytes in steps of up to 1.4 MB: your slowest peer should need less time for that.
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

/**
 * Options of `listen` on the path of a Unix socket. Options of TCP that have no meaning there have no effect (`noDelay`,
 * `keepAlive`), or are `InvalidInput` if somebody could rely on them (`backlog`, `reusePort`).
 */
export interface UnixListenOptions extends ConnectionOptions {
  /**
   * Access rights of the socket file, from 0 to 0o777. Who connects needs the right to write: 0o600 is for the owner,
   * 0o660 for the group too, 0o666 for everybody. It is set by chmod(2) right after the socket is bound. Until then
   * nobody but the owner can connect if the program has `--allow-sys=umask`; without it, for some microseconds, the
   * umask of the process decides. The rights of the directory hold as well.
   *
   * @default {0o777 without the bits of the umask}
   */
  mode?: number;
  /**
   * Removes a socket file at the path if nobody answers on it, as it is left by a process that was killed. A socket with
   * a listener, which sees a client come and go, and a file of another kind stay: that is `AddressInUse`. Bun cannot tell
   * a busy listener from none, so it is `Unsupported` there.
   *
   * @default {false}
   */
  replaceStale?: boolean;
}

/** Options of `bindUdp`. */
export interface BindUdpOptions {
  /**
   * Lets several sockets bind the same address (`SO_REUSEADDR`), as multicast receivers do. All of them must set it.
   * Each gets the datagrams to a group; one to the address of this machine goes to the socket that was bound last.
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
  /**
   * Gives datagrams that this socket sends to a group also to the members on this machine, this socket included
   * (`IP_MULTICAST_LOOP`). It is the sender's setting. Over the loopback interface they get them in any case.
   *
   * @default {true}
   */
  multicastLoopback?: boolean;
  /**
   * Routers that a datagram to a group may pass, plus 1: from 1 to 255 (`IP_MULTICAST_TTL`). With 1 it stays in its
   * network. For IPv4 only: the runtime cannot set it on an IPv6 socket, where anything but 1 rejects `Unsupported`.
   *
   * @default {1}
   */
  multicastTtl?: number;
  /**
   * The interface that datagrams to groups leave by (`IP_MULTICAST_IF`): its name, or one of its addresses of the
   * socket's family. A name, or an IPv6 address, needs `--allow-sys=networkInterfaces` as well. It works on `node:dgram`
   * only. On `Deno.listenDatagram` bind to the interface's IPv4 address, or name it in an IPv6 target: `ff02::fb%eth0`.
   *
   * @default {decided by the routes}
   */
  multicastInterface?: string;
  /**
   * The TTL of datagrams to a single host: from 1 to 255 (`IP_TTL`). It works for IPv4 on `node:dgram` only.
   *
   * @default {decided by the system: 64 on Linux}
   */
  ttl?: number;
  /**
   * Leaves the IPv4 port of the same number to another socket, if the socket is bound to `::`. It works on `node:dgram`
   * only.
   *
   * @default {false}
   */
  ipv6Only?: boolean;
}

/** Options of `joinMulticast`. */
export interface JoinMulticastOptions {
  /**
   * The interface to receive on: its name, or one of its addresses of the group's family. A name, or an IPv6 address,
   * needs `--allow-sys=networkInterfaces` as well.
   *
   * @default {decided by the routes}
   */
  interface?: string;
  /**
   * The only sender to receive from (`IP_ADD_SOURCE_MEMBERSHIP`), an IPv4 address. Each further source is a membership
   * of its own. It works for IPv4 groups on `node:dgram` only.
   *
   * @default {any sender}
   */
  source?: string;
}

/** The membership of a socket in a multicast group. `await using` leaves the group. */
export interface Membership extends AsyncDisposable {
  /** The group's address. */
  readonly group: string;
  /**
   * Leaves the group. It does nothing if it has succeeded before, or if the socket is closed, which leaves all groups.
   * Datagrams that arrived before still wait to be received.
   *
   * Rejects with a {@linkcode SocketError} of kind `AddressNotAvailable` if the routes chose the interface, and there is
   * no route now: the socket is still in the group, and the call may be repeated.
   */
  leave(): Promise<void>;
}

/**
 * A TCP port or Unix socket that accepts connections. Iterating gives each client; leaving the iteration leaves the
 * listener open; `await using` closes it.
 *
 * @typeParam A The kind of its address: `UnixAddress` for a Unix socket, `SocketAddress` if it may be either.
 */
export interface Listener<A extends SocketAddress = Address>
  extends AsyncIterable<Connection<A>>, AsyncDisposable {
  /** The address of the listener, with the port that the system chose. */
  readonly address: A;
}

/**
 * An ordered stream of bytes in both directions. `await using` closes it.
 *
 * An iteration gives received bytes, chunk by chunk. It ends at the peer's end of stream, or when this side closes or
 * aborts; a broken connection throws. Leaving the iteration leaves the connection open.
 *
 * @typeParam A The kind of its addresses: `UnixAddress` for a Unix socket, `SocketAddress` if it may be either. A
 * function that takes a `Connection<SocketAddress>` takes every connection.
 */
export interface Connection<A extends SocketAddress = Address>
  extends AsyncIterable<Uint8Array<ArrayBuffer>>, AsyncDisposable {
  /** This side's address. */
  readonly localAddress: A;
  /** The peer's address, or the client's if a PROXY header named it: then it has a host, also on a Unix socket. */
  readonly remoteAddress: A | Address;
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

/** A certificate and its private key, both as PEM text. */
export interface TlsCertificate {
  /** The certificate, followed by those of the authorities between it and a root. */
  cert: string;
  /** The private key of the certificate, not encrypted. */
  key: string;
}

/** Options of a TLS client. */
export interface TlsClientOptions {
  /**
   * The host name or IP address that the server's certificate must be for, and the name that the server is asked for
   * (SNI). `connectTls` takes the host that it connects to, `startTls` the peer's IP address.
   */
  serverName?: string;
  /**
   * Certificates of authorities to trust beside those of the runtime, as PEM text. Each text may have several. If this
   * side has a certificate of its own (`cert`), only these are trusted.
   */
  caCerts?: string[];
  /** This side's own certificate as PEM text, for servers that ask for one; with `key`. */
  cert?: string;
  /** The private key of `cert` as PEM text, not encrypted. */
  key?: string;
  /** Protocols that this side speaks, best first, such as `["h2", "http/1.1"]` (ALPN). */
  alpnProtocols?: string[];
  /**
   * Milliseconds within which the handshake must be done, at least 1. `timeout` and `signal` hold as well.
   *
   * @default {10000}
   */
  handshakeTimeout?: number;
}

/** Options of a TLS server. */
export interface TlsServerOptions extends TlsCertificate {
  /** Protocols that this side speaks, best first (ALPN). A client that names only others is refused. */
  alpnProtocols?: string[];
  /**
   * Certificates of the authorities that sign clients' certificates, as PEM text. With it each client must show one:
   * mutual TLS. No other authority counts. Each text may have several certificates.
   */
  clientCaCerts?: string[];
  /**
   * Chooses the certificate for the server name that a client asks for (SNI), in lower case. `undefined` stands for
   * `cert` and `key`, which also serve clients that name no server. If it throws, or gives something unusable, that
   * client's handshake fails.
   */
  certificateFor?: (
    serverName: string,
  ) => TlsCertificate | undefined | Promise<TlsCertificate | undefined>;
  /**
   * Milliseconds within which a client must have done its handshake, at least 1.
   *
   * @default {10000}
   */
  handshakeTimeout?: number;
}

/** Facts of a TLS session, frozen. */
export interface TlsInfo {
  /** `TLSv1.3` or `TLSv1.2`. It is `TLSv1.2 or TLSv1.3` if the runtime's own TLS does the work, which does not tell. */
  readonly protocol: string;
  /** The cipher suite, such as `TLS_AES_256_GCM_SHA384`, if the runtime tells it. */
  readonly cipher?: string;
  /** The protocol that both sides agreed on (ALPN), if any. */
  readonly alpnProtocol?: string;
  /** The server name that the client asked for (SNI), if any. */
  readonly serverName?: string;
  /** The peer's certificate in DER, if it showed one and the runtime tells it. */
  readonly peerCertificate?: Uint8Array<ArrayBuffer>;
}

/**
 * A {@linkcode Connection} over TLS, whose handshake is done.
 *
 * @typeParam A The kind of its addresses, which are those of the connection below.
 */
export interface TlsConnection<A extends SocketAddress = Address> extends Connection<A> {
  /** Facts of the session. */
  readonly tls: TlsInfo;
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
 * Accepts transports. A `Deno.Listener` does. At most one `accept` is under way at a time, and `close` is called once. `close` must make a
 * pending `accept` end.
 */
export interface TransportListener<A extends SocketAddress = SocketAddress> {
  /** Waits for the next client. */
  accept(): Promise<Transport>;
  /** Stops accepting. The address is free after this and a pending `accept` have ended. */
  close(): void | Promise<void>;
  /** The address that it listens on, if it has one. */
  readonly address?: A;
  /** The same as a listener of the runtime gives it, for one without `address`. */
  readonly addr?: TransportAddress;
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
export interface ReceivedProxyHeader<A extends SocketAddress = Address> extends ProxyHeader {
  /** The peer of the connection itself: the proxy. */
  readonly peer: A;
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
   * Addresses and networks in CIDR notation, such as `10.0.0.0/8` or `::1`, and `"unix"` for all peers of a Unix
   * socket, since the rights of its file say who they are. A peer in one of them must send a header first; a connection of any other peer is closed. IPv4 and IPv6 are matched apart. At most 1,000 connections wait for
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

/**
 * Options of `serve`.
 *
 * @typeParam A The kind of the listener's address.
 */
export interface ServeOptions<A extends SocketAddress = Address> {
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
   * called. Behind a proxy the host is the client's. Clients of a Unix socket have no host, and no limit but
   * `maxConnections`. A connection counts until it is closed, so one that lingers after
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
  onRefused?: (connection: Connection<A>, reason: RefusalReason) => void | Promise<void>;
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
   * should need less time for that. It is late by at most a quarter of the shorter of this and `firstByteTimeout`.
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
   * connection, a system that is out of descriptors. If `onError` throws or rejects, standard error says so.
   *
   * Without `onError`, a line on standard error has the kind of an error of this package. It quotes nothing that was sent
   * or received. Any other error that a handler threw is written with its message, on one line, and its stack: give
   * `onError` if the messages of your program must not be there.
   *
   * It is not called for what handlers throw because one of their signals or the server ended their work, nor of refused
   * connections, nor of a trusted proxy that connects and says nothing, as health checks do.
   */
  onError?: (error: unknown, connection?: Connection<A>) => void;
  /** Reads a PROXY header before each connection, from load balancers that are trusted. */
  proxyProtocol?: ProxyProtocolOptions;
}

/** The limit that a refused client has met. */
export type RefusalReason = "maxConnections" | "maxConnectionsPerHost";

/**
 * Context of one call of the handler.
 *
 * @typeParam A The kind of the listener's address.
 */
export interface ServeContext<A extends SocketAddress = Address> {
  /**
   * Aborts when the server ends, after the clients in the backlog are in, and before it aborts the connections that are
   * left: calls that wait for a client should end then.
   */
  readonly signal: AbortSignal;
  /** The server that the connection belongs to. */
  readonly server: Server<A>;
  /** The PROXY header that the connection began with, and the proxy that sent it; only with `proxyProtocol`. */
  readonly proxy?: ReceivedProxyHeader<A>;
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
 *
 * @typeParam A The kind of the listener's address.
 */
export interface Server<A extends SocketAddress = Address> extends AsyncDisposable {
  /** The address that it listens on. */
  readonly address: A;
  /** Connections that were accepted, and are not closed yet or have a handler that has not returned. */
  readonly active: number;
  /** Connections that were handed to the handler so far. */
  readonly accepted: number;
  /** Connections that were not served: over a limit, from a peer that is not trusted, or without a PROXY header. */
  readonly refused: number;
  /** Connections that the server aborted at its end, since their time was up. */
  readonly aborted: number;
  /**
   * Connections that ended because their client was silent, or took nothing, for too long. They ended by
   * `firstByteTimeout` or `idleTimeout`, by a `heartbeat`, in the close after the handler, or because the network gave
   * up.
   */
  readonly timedOut: number;
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

/**
 * The place or places that a link connects to. That is one address, a list of servers that are equally good, or a
 * function that is asked at each attempt.
 *
 * A list is shuffled once and tried in that order without a pause; the pause comes after a whole round. A function gets
 * the number of the attempt since the last stable session, from 1 on. If it throws or rejects, the attempt has failed.
 *
 * @typeParam A The kind of the addresses.
 */
export type Endpoints<A extends SocketAddress = Address> =
  | A
  | readonly A[]
  | ((attempt: number) => A | Promise<A>);

/**
 * Context of one session of a link.
 *
 * @typeParam A The kind of the addresses.
 */
export interface LinkContext<A extends SocketAddress = Address> {
  /**
   * Says that the handshake is over and the connection can be used: `up` resolves. A session that has nothing to
   * negotiate calls it first. Calling it again, or after the session has ended, does nothing.
   */
  ready(): void;
  /**
   * Aborts when the session must end. Reasons are the end of the link, no call of `ready` within `handshakeTimeout`,
   * and a connection that this side has closed. It also aborts after the session, so that what the session started can
   * end with it. Give it to every call that waits.
   */
  readonly signal: AbortSignal;
  /** The number of this attempt since the last stable session, from 1 on. */
  readonly attempt: number;
  /** The endpoint of this connection. */
  readonly endpoint: A;
  /** The error of the attempt or session before this one; undefined if there was none, and after this session. */
  readonly lastError?: unknown;
}

/**
 * Works with one connection of a link, until it returns or throws. It must end when the connection does: it receives,
 * or waits for `disconnectSignal`.
 *
 * @typeParam A The kind of the addresses.
 */
export type LinkSession<A extends SocketAddress = Address> = (
  connection: Connection<A>,
  context: LinkContext<A>,
) => void | Promise<void>;

/**
 * Sets the pauses between attempts. A pause is random between 0 and a limit that grows from one to the next; it begins
 * anew after a session that was stable.
 */
export interface BackoffOptions {
  /**
   * Limit of the first pause in milliseconds.
   *
   * @default {100}
   */
  first?: number;
  /**
   * Each limit is the last one times this, at least 1.
   *
   * @default {2}
   */
  factor?: number;
  /**
   * Limit of every pause in milliseconds.
   *
   * @default {30000}
   */
  longest?: number;
}

/**
 * Options of `keepConnected`.
 *
 * @typeParam A The kind of the addresses.
 */
export interface KeepConnectedOptions<A extends SocketAddress = Address> {
  /**
   * Milliseconds that an attempt may take until its session calls `ready`, from 1 to `Infinity`. They cover the
   * endpoint, the connection and the handshake together. After them the session's signal aborts with `TimedOut`, and
   * the connection is aborted. A session also has this long to return after its connection was lost; then the link goes
   * on without it.
   *
   * @default {10000}
   */
  handshakeTimeout?: number;
  /** The pauses between attempts. */
  backoff?: BackoffOptions;
  /**
   * Milliseconds after `ready` from which a session counts as stable, from 0 to `Infinity`. After a stable session,
   * attempts and pauses count from the beginning. A server that accepts and closes at once does not get a client at
   * full speed.
   *
   * @default {5000}
   */
  stableAfter?: number;
  /**
   * Maximum number of attempts in a row without a stable session; then the link ends with the last error.
   *
   * @default {Infinity}
   */
  attempts?: number;
  /**
   * Decides for each error of an attempt if the link goes on. It gets errors of `connect`, of the function of
   * endpoints, of a handshake that took too long, and everything that the session throws. It may be async. On false the
   * link ends with the error. If it throws, or answers anything but true or false, the link ends with that error.
   *
   * @default {true, but for `InvalidInput`, `PermissionDenied`, `Unsupported` and certificates that are not trusted}
   */
  retry?: (error: unknown) => boolean | Promise<boolean>;
  /**
   * Connects to an endpoint, instead of the package's own `connect`: for other options, TLS, a proxy, or a test. A
   * connection that comes after the signal has aborted is aborted.
   */
  connect?: (
    endpoint: A,
    options: { readonly signal: AbortSignal },
  ) => Connection<A> | Promise<Connection<A>>;
  /** Called after each change of the state. If it fails, a line on standard error says so. */
  onChange?: (state: Link["state"]) => void;
  /** Ends the link at once: its connection is aborted. `close` of the link delivers what was sent. */
  signal?: AbortSignal;
}

/**
 * A connection that is made again whenever it ends. `await using` closes it.
 *
 * @typeParam A The kind of the addresses.
 */
export interface Link<A extends SocketAddress = Address> extends AsyncDisposable {
  /**
   * `connecting` until the session has called `ready`, `ready` until the session is over, `waiting` before a further
   * attempt, and `ended` for ever.
   */
  readonly state: "connecting" | "ready" | "waiting" | "ended";
  /**
   * The error of the last attempt or session that has ended. It is undefined at first, and after a stable session that
   * returned. What your functions threw is there as it is.
   */
  readonly lastError?: unknown;
  /**
   * Resolves when the link has ended by `close` or its signal. It rejects with the last error if `attempts` are used up
   * or `retry` said no; that is no unhandled rejection if nobody waits.
   */
  readonly finished: Promise<void>;
  /**
   * Waits for a connection that is ready. It may end at any time: a later call gives the next one.
   *
   * With `timeout: 0` the call gives the connection if there is one, and rejects at once otherwise: with the last error,
   * or `TimedOut` if there was none.
   *
   * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Closed` (the link was closed, or its signal has aborted),
   * `Aborted`, `TimedOut` (with the last error in `cause`). If the link has ended by itself, it rejects with the last
   * error, which is your own if your session threw it. A cancelled call changes nothing.
   */
  up(options?: OperationOptions): Promise<Connection<A>>;
  /**
   * Ends the pause, for example because the network is back. It does nothing unless the link is `waiting`, and the next
   * pause is as long as it would have been.
   */
  retryNow(): void;
  /**
   * Ends the link. Calls of `up` reject `Closed`, the session's signal aborts, and the session may still send. It has
   * `linger` milliseconds to return, but not if it then waits for the peer with a call that does not have its signal:
   * such a call ends only with the connection. The connection is closed as by `close`. A session may call this, and need
   * not await it.
   *
   * Rejects with a {@linkcode SocketError}: `InvalidInput`, `Aborted`, or `TimedOut`, as `close` of a connection does.
   * After the last two the connection is aborted. Closing again does nothing more.
   */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Opens sockets. A program that takes one as an argument also runs on a network in memory. The module itself is one
 * (`import * as sockets`), and `memoryNetwork` of `@aivi/sockets/testing` gives others.
 *
 * All other functions work on the handles of any network, with one exception: `joinMulticast` is `Unsupported` on a
 * network in memory. So are the paths of Unix sockets.
 *
 * @example A program that does not care which network it runs on
 * ```ts
 * import * as sockets from "jsr:@aivi/sockets";
 * import type { Network } from "jsr:@aivi/sockets";
 * import { memoryNetwork } from "jsr:@aivi/sockets/testing";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * async function roundTrip(network: Network): Promise<string> {
 *   await using listener = await network.listen({ host: "127.0.0.1", port: 0 });
 *   await using client = await network.connect(listener.address);
 *   await using server = await sockets.accept(listener);
 *   await sockets.send(client, new TextEncoder().encode("hello\n"));
 *   return await sockets.recvLine(server) ?? "";
 * }
 * assertEquals(await roundTrip(sockets), "hello");
 * assertEquals(await roundTrip(memoryNetwork().host("a")), "hello");
 * ```
 */
export interface Network {
  /** Listens on a TCP port, as `listen` does. */
  listen(address: Address, options?: ListenOptions): Promise<Listener>;
  /** Listens on a Unix socket, as `listen` does. */
  listen(address: UnixAddress, options?: UnixListenOptions): Promise<Listener<UnixAddress>>;
  /** Listens on an address of either kind, as `listen` does. */
  listen(address: SocketAddress, options?: TcpOptions): Promise<Listener<SocketAddress>>;
  /** Connects to a TCP port, as `connect` does. */
  connect(address: Address, options?: ConnectOptions): Promise<Connection>;
  /** Connects to a Unix socket, as `connect` does. */
  connect(address: UnixAddress, options?: ConnectOptions): Promise<Connection<UnixAddress>>;
  /** Connects to an address of either kind, as `connect` does. */
  connect(address: SocketAddress, options?: ConnectOptions): Promise<Connection<SocketAddress>>;
  /** Binds a UDP port, as `bindUdp` does. */
  bindUdp(address: Address, options?: BindUdpOptions): Promise<UdpSocket>;
}
