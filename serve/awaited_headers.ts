import type { SocketError } from "../errors.ts";
import { ProxyHeaderReader } from "../proxy_protocol/read_header.ts";
import type { ErrorReports } from "./error_reports.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { TrustList } from "../proxy_protocol/trust_list.ts";

/**
 * Connections of proxies whose header may be awaited at once. One more takes the place of the oldest: proxies send
 * their header as they connect, so it is one that is silent.
 */
const MOST = 1000;

/** Whom a server believes, and how long a header may take, in milliseconds. */
export interface ProxyTrust {
  readonly trusted: TrustList;
  readonly timeout: number;
}

/** Reads the PROXY headers of connections that are not served yet, and bounds their number. */
export class AwaitedHeaders {
  readonly #reports: ErrorReports;
  readonly #connections = new Set<StreamConnection>();

  constructor(reports: ErrorReports) {
    this.#reports = reports;
  }

  /** Whether a proxy that is trusted has said on whose behalf it connects. */
  async read(connection: StreamConnection, { trusted, timeout }: ProxyTrust): Promise<boolean> {
    if (!trusted.has(connection.remoteAddress.host)) return false;
    this.#makeRoom();
    this.#connections.add(connection);
    try {
      const reading = new ProxyHeaderReader(connection);
      await connection.recvDecoded("recvProxyHeader", reading, { timeout });
      return true;
    } catch (error) {
      // A proxy that only looks whether the port is open says nothing, and leaves or stays.
      const probe = connection.bytesArrived === 0;
      // Where the server has dropped it meanwhile, that is no failure of the proxy's.
      const { kind } = error as SocketError;
      if (!probe && kind !== "Closed") {
        this.#reports.tell({ error, connection, said: `no PROXY header: ${kind}` });
      }
      return false;
    } finally {
      this.#connections.delete(connection);
    }
  }

  #makeRoom(): void {
    for (const oldest of this.#connections) {
      if (this.#connections.size < MOST) return;
      this.#connections.delete(oldest);
      oldest.abort();
    }
  }
}
