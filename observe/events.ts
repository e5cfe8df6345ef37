import type { SocketError } from "../errors.ts";
import type { Connection, RefusalReason, Server, SocketAddress } from "../types.ts";

/** Reports a `connect` that has ended. */
export interface ObservedConnect {
  /** The address that was connected to, as it was given. */
  readonly address: SocketAddress;
  /** Milliseconds that the call took. */
  readonly duration: number;
  /** The connection; left out if the call has failed. */
  readonly connection?: Connection<SocketAddress>;
  /** The error that the call rejects with; left out if it has succeeded. */
  readonly error?: SocketError;
}

/** Reports a client that a listener has accepted. */
export interface ObservedAccept {
  /** The connection with the client. */
  readonly connection: Connection<SocketAddress>;
  /** The address of the listener. */
  readonly address: SocketAddress;
}

/** Reports a client that a server does not serve. Its `close` event follows. */
export interface ObservedRefusal {
  /** The connection with the client. */
  readonly connection: Connection<SocketAddress>;
  /** The limit that the client has met, or `proxyProtocol` if the peer is not trusted or sent no valid header. */
  readonly reason: RefusalReason | "proxyProtocol";
}

/** Reports a handshake that has ended, between the opening of a connection and its use. */
export interface ObservedHandshake {
  /**
   * The connection. Its `remoteAddress` is the client's if a PROXY header has named it. After a TLS handshake that has
   * failed it is closed.
   */
  readonly connection: Connection<SocketAddress>;
  /** The kind of the handshake: `proxy` is the PROXY header that `serve` waits for, `tls` one of TLS, on either side. */
  readonly protocol: "proxy" | "tls";
  /** Milliseconds that it took. */
  readonly duration: number;
  /** The reason why it has failed; left out if it has succeeded. */
  readonly error?: SocketError;
}

/** Reports a connection that is closed: this side has closed or aborted it. */
export interface ObservedClose {
  /** The connection. */
  readonly connection: Connection<SocketAddress>;
  /** Bytes that the operating system had taken. */
  readonly bytesSent: number;
  /** Bytes that receiving calls had given. */
  readonly bytesReceived: number;
  /** Milliseconds since the connection was opened, or since somebody observes closes if that was later. */
  readonly duration: number;
  /**
   * The error that ended it: of a broken connection, a timeout, a heartbeat, a cancelled send that tore it, or a
   * `close` that gave up. It is left out if this side has closed it in order, or aborted it.
   */
  readonly error?: SocketError;
}

/** Reports a server that has ended. */
export interface ObservedShutdown {
  /** The server. */
  readonly server: Server<SocketAddress>;
  /** Milliseconds from the beginning of the end until the last connection was closed. */
  readonly duration: number;
  /** Connections whose handler came to its end, as `shutdown` counts them. */
  readonly drained: number;
  /** Connections that the server aborted, since their time was up. */
  readonly aborted: number;
}

/** The events of connections and servers. Each method gets one frozen object. */
export interface Observer {
  /** Called when a `connect` has ended, well or not. Calls with bad input are not observed. */
  connect(event: ObservedConnect): void;
  /** Called when a client was accepted, before any call gets its connection. */
  accept(event: ObservedAccept): void;
  /** Called when a server refuses a client. */
  refuse(event: ObservedRefusal): void;
  /** Called when a handshake has ended, well or not; not if a trusted proxy connects and says nothing. */
  handshake(event: ObservedHandshake): void;
  /** Called when a connection is closed. Each connection has one such event, however it was made and ended. */
  close(event: ObservedClose): void;
  /** Called when a server has ended. */
  shutdown(event: ObservedShutdown): void;
}
