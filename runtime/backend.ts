import type { Address, Datagram, Transport, TransportListener, UnixAddress } from "../types.ts";

/** Settings of a TCP connection. The backend applies them before it gives the connection away. */
export interface TcpSettings {
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
}

/** Settings of a TCP listener and of the connections that it accepts. */
export interface ListenSettings extends TcpSettings {
  /** Clients that may wait in the kernel. The platform chooses if it is undefined. */
  readonly backlog: number | undefined;
  readonly reusePort: boolean;
}

/** Settings of a Unix socket that listens. */
export interface UnixListenSettings {
  /** Access rights of the socket file. The umask decides if it is undefined. */
  readonly mode: number | undefined;
  /** True if a socket file on which nobody listens is replaced. */
  readonly replaceStale: boolean;
}

/** Settings of a UDP socket. The platform's own value holds for those that are undefined. */
export interface DatagramSettings {
  readonly reuseAddress: boolean;
  readonly multicastLoopback: boolean;
  readonly multicastTtl: number | undefined;
  readonly multicastInterface: string | undefined;
  readonly ttl: number | undefined;
  readonly ipv6Only: boolean;
}

/** A multicast group to join, in checked and uniform spelling. */
export interface MulticastGroup {
  readonly host: string;
  readonly family: 4 | 6;
  /** The name of an interface, or one of its addresses of the group's family. */
  readonly interface: string | undefined;
  /** The only sender to receive from. */
  readonly source: string | undefined;
}

/** A group that a socket has joined. */
export interface JoinedGroup {
  /** Leaves the group. If it rejects, the socket is still in it. */
  leave(): Promise<void>;
}

/**
 * Opens sockets: all that this package needs of a platform.
 *
 * Addresses and settings are valid when they come here. A backend rejects with a `SocketError` if a permission is
 * missing (`PermissionDenied`) or the platform lacks a feature (`Unsupported`); everything else it rejects with as
 * the platform throws it, and `core/error_mapping.ts` turns that into a `SocketError`.
 */
export interface Backend {
  listen(address: Address, settings: ListenSettings): Promise<TransportListener>;
  /**
   * Connects to an address, or to any address of a name.
   *
   * @param signal Stops the attempt. It is made for this call alone. The caller closes a connection that comes after
   * the abort, so a backend must never lose one.
   */
  connect(address: Address, settings: TcpSettings, signal?: AbortSignal): Promise<Transport>;
  /** Listens on a path or an abstract name. */
  listenUnix(
    address: UnixAddress,
    settings: UnixListenSettings,
  ): Promise<TransportListener<UnixAddress>>;
  /** Connects to a path or an abstract name. The caller closes a connection that comes after it gave up. */
  connectUnix(address: UnixAddress): Promise<Transport>;
  bindDatagrams(address: Address, settings: DatagramSettings): Promise<DatagramSocket>;
}

/** A bound UDP port of a backend. One receive and one send are under way at a time. */
export interface DatagramSocket<Received = unknown> {
  readonly address: Address;
  /** Datagrams that this side dropped because nobody received them in time. */
  readonly dropped: number;
  /** Gives the next datagram in the platform's form. It may use one buffer for all of them. */
  receive(): Promise<Received>;
  /** Copies a received datagram into a buffer of its own, before the next one is asked for. */
  toDatagram(received: Received): Datagram;
  /** Sends to an address of the socket's family, or to a name that `resolve` left alone. */
  send(bytes: Uint8Array, to: Address): Promise<unknown>;
  /** Gives what the caller of a failed `send` should know: a `SocketError`, or the error itself. */
  explainSendFailure(error: unknown, to: Address): unknown;
  /** Gives the address behind a name, or nothing if only `send` may look it up. */
  resolve(to: Address): Promise<Address | undefined>;
  /**
   * Joins a group of a family that the socket receives.
   *
   * @param others The groups that the socket is in, or joins or leaves right now.
   */
  join(group: MulticastGroup, others: Iterable<MulticastGroup>): Promise<JoinedGroup>;
  /** Sets if a pending receive keeps the process alive, which it does at first. */
  setReferenced(on: boolean): void;
  /** Ends a pending receive. The port is free when it resolves. */
  close(): Promise<void>;
}
