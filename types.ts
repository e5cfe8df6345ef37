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
  /** An IPv4 or IPv6 address without brackets, or a host name. */
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

/** How a {@linkcode Listener} listens, and what the connections it accepts get. */
export interface ListenOptions {
  /**
   * How many clients may wait in the kernel until they are accepted.
   *
   * @default {511}
   */
  backlog?: number;
  /**
   * Lets several processes listen on one port, the kernel spreading the clients among them. Needs
   * `--unstable-net`, `Unsupported` without it.
   *
   * @default {false}
   */
  reusePort?: boolean;
  /**
   * Sends small writes at once instead of waiting for an acknowledgement (`TCP_NODELAY`).
   *
   * @default {true}
   */
  noDelay?: boolean;
  /**
   * Lets the kernel probe connections that are silent for long (`SO_KEEPALIVE`).
   *
   * @default {true}
   */
  keepAlive?: boolean;
  /**
   * Bytes of waiting sends that a connection holds at most; see {@linkcode ConnectionOptions}.
   *
   * @default {16777216}
   */
  sendQueueLimit?: number;
}

/** How {@linkcode Connection}s are opened. `timeout` and `signal` cover name resolution too. */
export interface ConnectOptions extends OperationOptions {
  /**
   * Sends small writes at once instead of waiting for an acknowledgement (`TCP_NODELAY`).
   *
   * @default {true}
   */
  noDelay?: boolean;
  /**
   * Lets the kernel probe the connection when it is silent for long (`SO_KEEPALIVE`).
   *
   * @default {true}
   */
  keepAlive?: boolean;
  /**
   * Bytes of waiting sends that the connection holds at most; see {@linkcode ConnectionOptions}.
   *
   * @default {16777216}
   */
  sendQueueLimit?: number;
}

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
   * Milliseconds to wait for the peer's end of stream after everything was sent, while its data is
   * discarded: 0 to `Infinity`. 0 closes right after the flush.
   *
   * @default {1000}
   */
  linger?: number;
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

/** How a UDP socket is bound. */
export interface BindUdpOptions {
  /**
   * Lets several sockets bind the same address (`SO_REUSEADDR`), as multicast receivers do.
   *
   * @default {false}
   */
  reuseAddress?: boolean;
}

/**
 * A TCP port that accepts connections. Iterating gives each client; leaving the iteration leaves the
 * listener open; `await using` closes it.
 */
export interface Listener extends AsyncIterable<Connection>, AsyncDisposable {
  /** Where it listens, with the port that the system chose. */
  readonly address: Address;
}

/**
 * An ordered stream of bytes in both directions. Iterating gives what is received, chunk by chunk,
 * until the peer's end; leaving the iteration leaves the connection open; `await using` closes it.
 */
export interface Connection extends AsyncIterable<Uint8Array<ArrayBuffer>>, AsyncDisposable {
  /** This side's address. */
  readonly localAddress: Address;
  /** The peer's address. */
  readonly remoteAddress: Address;
  /** How many bytes the operating system took so far. */
  readonly bytesSent: number;
  /** How many bytes receiving calls have given so far. */
  readonly bytesReceived: number;
  /**
   * The receiving side as a byte stream. Exhausting or cancelling it does not close the connection
   * unless `writable` has ended too.
   */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /**
   * The sending side as a stream. Closing it ends the sending side only, unless `readable` has ended
   * too; aborting it aborts the connection.
   */
  readonly writable: WritableStream<Uint8Array>;
}

/**
 * A bound UDP port. Iterating gives each datagram until the socket is closed; leaving the iteration
 * leaves it open; `await using` closes it.
 */
export interface UdpSocket extends AsyncIterable<Datagram>, AsyncDisposable {
  /** Where it is bound, with the port that the system chose. */
  readonly address: Address;
  /**
   * Datagrams that this side had to drop because nobody received them in time. Only the receive
   * queue that this package keeps where `Deno.listenDatagram` is missing is counted: what the kernel
   * drops, it does not tell.
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
  /** This side's address, if it has one. */
  readonly localAddr?: Deno.Addr;
  /** The peer's address, if it has one. */
  readonly remoteAddr?: Deno.Addr;
}
