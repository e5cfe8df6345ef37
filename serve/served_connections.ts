import type { SocketError } from "../errors.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { ReceivedProxyHeader, SocketAddress } from "../types.ts";

/** A connection of a server, from when it is accepted until it is closed. */
export class Served {
  #connection: StreamConnection;
  /** The PROXY header that it began with, if one was received. */
  proxy: ReceivedProxyHeader<SocketAddress> | undefined;
  /** The host that it counts for, once it is counted. */
  host: string | undefined;
  /** True while it is one of the `maxConnections`. */
  hasPlace = false;
  /** State of its handler; the timeouts of `IdleTimeouts` hold while it is running. */
  handler: "not called" | "running" | "over" = "not called";
  /** Time of the call of its handler (ms). */
  handlerStart = 0;
  /** Bytes received before its handler was called: those of a PROXY header. */
  bytesBefore = 0;
  /** Total bytes in both directions at the last check. */
  bytesMoved = 0;
  /** Time of the last check that found more bytes (ms). */
  lastMove = 0;
  /** The error that the server ended it with. */
  ended: SocketError | undefined;
  /** True if one of the timeouts of `IdleTimeouts` ended it. */
  stalled = false;

  constructor(connection: StreamConnection) {
    this.#connection = connection;
  }

  /** The connection with the client: the one over TLS after the handler has called `startTls`. */
  get connection(): StreamConnection {
    return this.#connection = this.#connection.latest;
  }
}

/** The connections of a server that are not closed yet, counted in all and by host. */
export class ServedConnections {
  /** Called when the last connection has gone. */
  onEmpty: (() => void) | undefined;
  readonly #all = new Set<Served>();
  readonly #byHost = new Map<string, number>();
  #places = 0;
  #waiting: { readonly served: Served; readonly letIn: () => void }[] = [];
  #waiters: (() => void)[] = [];

  /** Connections that have a place: those whose header is awaited do not, nor do those that the server ended. */
  get places(): number {
    return this.#places;
  }

  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): IterableIterator<Served> {
    return this.#all.values();
  }

  add(connection: StreamConnection): Served {
    const served = new Served(connection);
    this.#all.add(served);
    return served;
  }

  /** Counts a connection for its client's host; false if the host has `most` already. */
  countHost(served: Served, most: number): boolean {
    const { host } = served.connection.remoteAddress;
    // All clients of a Unix socket are on this machine: they have no hosts to tell apart.
    if (host === undefined) return true;
    const count = this.#byHost.get(host) ?? 0;
    if (count >= most) return false;
    this.#byHost.set(host, count + 1);
    served.host = host;
    return true;
  }

  /** Gives a connection a place, even beyond the limit. */
  place(served: Served): void {
    served.hasPlace = true;
    this.#places++;
  }

  /** Resolves when the connection has a place, first come first served. Never resolves if it is deleted before. */
  waitPlace(served: Served): Promise<void> {
    return new Promise((letIn) => this.#waiting.push({ served, letIn }));
  }

  /** Gives all that wait a place. */
  placeAll(): void {
    while (this.#placeNext());
  }

  #placeNext(): boolean {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (!this.#all.has(next.served)) continue;
      this.place(next.served);
      next.letIn();
      return true;
    }
    return false;
  }

  /** Gives back the place of a connection and the one of its host; the connection stays in the list. */
  release(served: Served): void {
    if (served.host !== undefined) this.#discountHost(served.host);
    served.host = undefined;
    if (!served.hasPlace) return;
    served.hasPlace = false;
    this.#places--;
    if (!this.#placeNext()) this.wake();
  }

  #discountHost(host: string): void {
    const count = this.#byHost.get(host)! - 1;
    if (count === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, count);
  }

  /** Removes a connection; false if it was removed before. */
  delete(served: Served): boolean {
    if (!this.#all.delete(served)) return false;
    this.release(served);
    this.wake();
    if (this.#all.size === 0) this.onEmpty?.();
    return true;
  }

  /** Resolves at the next `wake`: there are fewer connections, or the server ends. */
  waitChange(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  wake(): void {
    const waiters = this.#waiters;
    if (waiters.length === 0) return;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
