import type { SocketError } from "../errors.ts";
import { observed, report } from "../observe/observers.ts";
import { ProxyHeaderReader } from "../proxy_protocol/read_header.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { ReceivedProxyHeader, SocketAddress } from "../types.ts";
import type { ErrorReports } from "./error_reports.ts";
import type { ProxyTrust } from "./serve_options.ts";

/**
 * Maximum number of connections whose header is awaited at once. One more drops the oldest: proxies send their header
 * as they connect, so the oldest is a silent one.
 */
const MOST_AWAITED = 1000;

/** Reads the PROXY headers of connections that are not served yet, and bounds their number. */
export class AwaitedHeaders {
  readonly #reports: ErrorReports;
  readonly #connections = new Set<StreamConnection>();

  constructor(reports: ErrorReports) {
    this.#reports = reports;
  }

  /** Receives the header of a trusted peer; gives nothing for other peers, and if no valid header comes in time. */
  async read(
    connection: StreamConnection,
    { trusted, timeout }: ProxyTrust,
  ): Promise<ReceivedProxyHeader<SocketAddress> | undefined> {
    if (!trusted.hasPeer(connection.remoteAddress)) return undefined;
    this.#makeRoom();
    this.#connections.add(connection);
    const begin = observed.handshake === undefined ? undefined : performance.now();
    try {
      const reader = new ProxyHeaderReader(connection);
      const header = await connection.recvDecoded("recvProxyHeader", reader, { timeout });
      if (header !== null && begin !== undefined) reportHandshake(connection, begin);
      return header ?? undefined;
    } catch (error) {
      const { kind } = error as SocketError;
      // A proxy that only checks if the port is open says nothing. `Closed` is the server's own doing.
      if (connection.bytesArrived > 0 && kind !== "Closed") {
        if (begin !== undefined) reportHandshake(connection, begin, error as SocketError);
        this.#reports.report({ error, connection, line: `no PROXY header: ${kind}` });
      }
      return undefined;
    } finally {
      this.#connections.delete(connection);
    }
  }

  #makeRoom(): void {
    for (const oldest of this.#connections) {
      if (this.#connections.size < MOST_AWAITED) return;
      this.#connections.delete(oldest);
      oldest.abort();
    }
  }
}

function reportHandshake(connection: StreamConnection, begin: number, error?: SocketError): void {
  const duration = performance.now() - begin;
  const failure = error === undefined ? {} : { error };
  report("handshake", { connection, protocol: "proxy", duration, ...failure });
}
