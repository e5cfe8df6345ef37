import { observed, report } from "../observe/observers.ts";
import type { RefusalReason } from "../types.ts";
import { AwaitedHeaders } from "./awaited_headers.ts";
import type { ErrorReports } from "./error_reports.ts";
import { Refusals } from "./refusals.ts";
import type { ServerSettings } from "./serve_options.ts";
import type { Served, ServedConnections } from "./served_connections.ts";

/** Decides which connections are served: it awaits their PROXY header, and keeps the limits. */
export class Admission {
  readonly #settings: ServerSettings;
  readonly #connections: ServedConnections;
  readonly #headers: AwaitedHeaders;
  readonly #refusals: Refusals;
  #refused = 0;
  #open = false;

  constructor(settings: ServerSettings, connections: ServedConnections, reports: ErrorReports) {
    this.#settings = settings;
    this.#connections = connections;
    this.#headers = new AwaitedHeaders(reports);
    this.#refusals = new Refusals(settings.onRefused, reports, () => connections.wake());
  }

  /** Connections that were not served. */
  get refused(): number {
    return this.#refused;
  }

  /** Refused clients whose connection is not closed yet. */
  get closing(): number {
    return this.#refusals.size;
  }

  /** True if the next client has to wait for a place. */
  get full(): boolean {
    return this.#settings.whenFull === "wait" && !this.#open && this.#noPlace;
  }

  get #noPlace(): boolean {
    return this.#connections.places >= this.#settings.maxConnections;
  }

  waitChange(): Promise<void> {
    return this.#connections.waitChange();
  }

  /** Gives a connection its place, perhaps after a wait; false if it is refused, or was ended meanwhile. */
  async admit(served: Served): Promise<boolean> {
    const { proxies } = this.#settings;
    if (proxies !== undefined) {
      served.proxy = await this.#headers.read(served.connection, proxies);
      if (served.proxy === undefined) return this.#refuse(served, undefined);
    }
    const reason = this.#count(served);
    if (reason !== undefined) return this.#refuse(served, reason);
    // The accept loop has checked this too, but that was before the header.
    if (proxies !== undefined && this.full) await this.#connections.waitPlace(served);
    else this.#connections.place(served);
    return true;
  }

  /** Counts a connection for its client's host; gives the limit that it has met, if any. */
  #count(served: Served): RefusalReason | undefined {
    const { maxConnectionsPerHost, whenFull } = this.#settings;
    if (
      maxConnectionsPerHost !== Infinity &&
      !this.#connections.countHost(served, maxConnectionsPerHost)
    ) return "maxConnectionsPerHost";
    return whenFull === "refuse" && this.#noPlace ? "maxConnections" : undefined;
  }

  #refuse(served: Served, reason: RefusalReason | undefined): false {
    if (served.ended !== undefined) return false;
    this.#refused++;
    const { connection } = served;
    if (observed.refuse !== undefined) {
      report("refuse", { connection, reason: reason ?? "proxyProtocol" });
    }
    this.#refusals.refuse(connection, reason);
    this.#connections.delete(served);
    return false;
  }

  /** Lets in everybody who waits and who comes, since the server ends: closing the port would reset them. */
  open(): void {
    this.#open = true;
    this.#connections.placeAll();
    this.#connections.wake();
  }

  /** Drops the connections of refused clients. */
  abortRefused(): void {
    this.#refusals.abortAll();
  }
}
