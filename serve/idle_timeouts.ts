import { SocketError } from "../errors.ts";
import type { Served, ServedConnections } from "./served_connections.ts";
import { startDeadline } from "../core/timer.ts";

/** It looks so many times within the shortest timeout, and is late by two of these at most. */
const LOOKS = 8;

/** How long connections may be silent, in milliseconds. */
export interface IdleLimits {
  readonly firstByte: number;
  readonly idle: number;
}

/**
 * Ends connections that never say anything, and those on which nothing moves. One timer looks after all of
 * them: a timer for each that every read and write puts off would cost more than the reads.
 */
export class IdleTimeouts {
  readonly #connections: ServedConnections;
  readonly #limits: IdleLimits;
  readonly #end: (served: Served, why: SocketError) => void;
  readonly #period: number;
  #stop: (() => void) | undefined;
  #referenced = true;

  constructor(
    connections: ServedConnections,
    limits: IdleLimits,
    end: (served: Served, why: SocketError) => void,
  ) {
    this.#connections = connections;
    this.#limits = limits;
    this.#end = end;
    this.#period = Math.max(1, Math.min(limits.firstByte, limits.idle) / LOOKS);
  }

  /** The handler of a connection is about to be called. */
  begin(served: Served): void {
    if (this.#period === Infinity) return;
    const { connection } = served;
    served.since = served.lastMove = performance.now();
    served.arrivedBefore = connection.bytesReceived;
    served.moved = connection.bytesArrived + connection.bytesSent;
    // A handler that speaks first may not read for long.
    if (this.#limits.firstByte < Infinity) connection.readAhead();
    if (this.#stop === undefined) this.#wait();
  }

  #wait(): void {
    // A program that was busy has not read yet what has come meanwhile, and would take those who spoke for silent.
    this.#stop = startDeadline(this.#period, () => {
      this.#stop = undefined;
      this.#look();
      if (this.#connections.size > 0) this.#wait();
    }, this.#referenced);
  }

  /** Whether it keeps the process alive while there are connections. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (this.#stop === undefined) return;
    this.#stop();
    this.#wait();
  }

  /** A connection has gone; without any there is nothing to look at. */
  over(): void {
    if (this.#connections.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #look(): void {
    const now = performance.now();
    for (const served of this.#connections) {
      if (served.handler === "at work" && served.ended === undefined) this.#judge(served, now);
    }
  }

  #judge(served: Served, now: number): void {
    const { firstByte, idle } = this.#limits;
    const { connection } = served;
    const heard = connection.bytesArrived;
    const moved = heard + connection.bytesSent;
    if (moved !== served.moved) {
      served.moved = moved;
      served.lastMove = now;
    }
    // An end of stream says something as well: that the client only wants to listen.
    const silent = heard === served.arrivedBefore && !connection.readEnded;
    if (silent && now - served.since >= firstByte) {
      this.#end(served, stalled(served, `not a byte came within ${firstByte} ms`));
    } else if (now - served.lastMove >= idle) {
      const { bytesQueued: unsent } = connection;
      const waiting = unsent === 0 ? "" : `, ${unsent} bytes wait to be sent`;
      this.#end(served, stalled(served, `nothing moved for ${idle} ms${waiting}`));
    }
  }
}

function stalled({ connection }: Served, reason: string): SocketError {
  return new SocketError("TimedOut", "serve", reason, { address: connection.remoteAddress });
}
