import type { SocketError } from "../errors.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";

/** A connection that a server has taken on. */
export interface Served {
  readonly connection: StreamConnection;
  /** The host that it counts for, once that is known. */
  host: string | undefined;
  /** It is one of the `maxConnections`. */
  hasPlace: boolean;
  /** Whether its handler is at work, or has ended: what comes before and after has limits of its own. */
  handler: "not called" | "at work" | "over";
  /** When its handler was called, in milliseconds, and how many bytes had come before: a PROXY header. */
  since: number;
  arrivedBefore: number;
  /** How many bytes had moved in both directions when one was last seen to, and when that was. */
  moved: number;
  lastMove: number;
  /** Why the server ended it, if it did. */
  ended: SocketError | undefined;
}

/** The connections of a server that are under way, counted in all and by host. */
export class ServedConnections {
  readonly #all = new Set<Served>();
  readonly #byHost = new Map<string, number>();
  #places = 0;
  #waiting: { readonly served: Served; readonly letIn: () => void }[] = [];
  #onLess: (() => void)[] = [];

  /** Connections that have a place: no headers are awaited, and the server has not ended them. */
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
    const served: Served = {
      connection,
      host: undefined,
      hasPlace: false,
      handler: "not called",
      since: 0,
      arrivedBefore: 0,
      moved: 0,
      lastMove: 0,
      ended: undefined,
    };
    this.#all.add(served);
    return served;
  }

  /** Counts it for its client's host, unless that has `most` already. */
  countFor(served: Served, most: number): boolean {
    const { host } = served.connection.remoteAddress;
    const count = this.#byHost.get(host) ?? 0;
    if (count >= most) return false;
    this.#byHost.set(host, count + 1);
    served.host = host;
    return true;
  }

  /** Gives it a place, whether there is one or not. */
  place(served: Served): void {
    served.hasPlace = true;
    this.#places++;
  }

  /** Resolves when it has a place: those that wait get one in order. Never, if it is deleted before. */
  waitPlace(served: Served): Promise<void> {
    return new Promise((letIn) => this.#waiting.push({ served, letIn }));
  }

  /** Gives all that wait a place. */
  placeAll(): void {
    while (this.#placeNext());
  }

  /** Gives back what it has of the limits, its place and its host's; it stays among them. */
  release(served: Served): void {
    if (served.host !== undefined) this.#discount(served.host);
    served.host = undefined;
    if (!served.hasPlace) return;
    served.hasPlace = false;
    this.#places--;
    if (!this.#placeNext()) this.wake();
  }

  /** Whether it was still among them. */
  delete(served: Served): boolean {
    if (!this.#all.delete(served)) return false;
    this.release(served);
    this.wake();
    return true;
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

  /** Resolves when there are fewer than now, or those who wait should look again. */
  waitLess(): Promise<void> {
    return new Promise((resolve) => this.#onLess.push(resolve));
  }

  wake(): void {
    const waiters = this.#onLess;
    if (waiters.length === 0) return;
    this.#onLess = [];
    for (const wake of waiters) wake();
  }

  #discount(host: string): void {
    const count = this.#byHost.get(host)! - 1;
    if (count === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, count);
  }
}
