import { StreamConnection } from "../connection/stream_connection.ts";
import type { SocketAddress, TlsConnection, TlsInfo } from "../types.ts";
import type { EstablishedTls } from "./handshake.ts";

/** A connection over TLS. It knows TLS only by its facts: the transport does the work. */
export class TlsStreamConnection extends StreamConnection implements TlsConnection<SocketAddress> {
  readonly tls: TlsInfo;

  constructor({ transport, info }: EstablishedTls, sendQueueLimit: number) {
    super(transport, sendQueueLimit);
    this.tls = info;
  }
}
