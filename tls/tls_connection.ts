import { StreamConnection } from "../connection/stream_connection.ts";
import { toSocketError } from "../core/error_mapping.ts";
import type { SocketAddress, TlsConnection, TlsInfo, Transport } from "../types.ts";
import {
  type EstablishedTls,
  type Handshake,
  handshakeBegin,
  type HandshakeLimits,
  reportHandshake,
  runHandshake,
} from "./handshake.ts";

/** A connection over TLS. It knows TLS only by its facts: the transport does the work. */
export class TlsStreamConnection extends StreamConnection implements TlsConnection<SocketAddress> {
  readonly tls: TlsInfo;

  constructor({ transport, info, largestRead }: EstablishedTls, sendQueueLimit: number) {
    super(transport, sendQueueLimit);
    this.tls = info;
    if (largestRead !== undefined) this.limitReads(largestRead);
  }
}

/** Shakes hands on a transport, and makes the connection. Rejects with a `SocketError`. */
export async function openTls(
  transport: Transport,
  handshake: Handshake,
  limits: HandshakeLimits,
  sendQueueLimit: number,
): Promise<TlsStreamConnection> {
  const begin = handshakeBegin();
  try {
    const session = await runHandshake(handshake, limits);
    const connection = new TlsStreamConnection(session, sendQueueLimit);
    reportHandshake(begin, () => connection);
    return connection;
  } catch (cause) {
    const error = toSocketError(cause, limits.operation, { address: limits.address });
    // It has nothing but its addresses.
    if (!handshake.isRepeated) {
      reportHandshake(begin, () => new StreamConnection(transport, 0), error);
    }
    throw error;
  }
}
