import type { SocketError } from "../errors.ts";
import type { StreamConnection } from "./stream_connection.ts";

/** A connection that a server has taken on. */
export interface Served {
  readonly connection: StreamConnection;
  /** The host that it counts for, once that is known. */
  host: string | undefined;
  /** Whether its handler is at work, or has ended: what comes before and after has limits of its own. */
  handler: "not called" | "at work" | "over";
  /** When its handler was called, in milliseconds, and how many bytes had come before: a PROXY header. */
  since: number;
  heardBefore: number;
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
  #onLess: (() => void)[] = [];

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
      handler: "not called",
      since: 0,
      heardBefore: 0,
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

  /** Whether it was still among them. */
  delete(served: Served): boolean {
    if (!this.#all.delete(served)) return false;
    if (served.host !== undefined) this.#discount(served.host);
    this.wake();
    return true;
  }

  /** Resolves when there are fewer than now, or those who wait should look again. */
  whenLess(): Promise<void> {
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
