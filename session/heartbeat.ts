import {
  type CloseObserver,
  notAConnection,
  StreamConnection,
} from "../connection/stream_connection.ts";
import { describe, invalidInput, readArguments } from "../core/arguments.ts";
import { SocketError } from "../errors.ts";
import type { Connection, SocketAddress } from "../types.ts";
import { type Beat, HeartbeatClock } from "./heartbeat_clock.ts";

const OPERATION = "heartbeat";

/** Options of `heartbeat`. */
export interface HeartbeatOptions {
  /** Milliseconds without a byte from the peer after which `ping` is called, from 1 to `Infinity` (never). */
  interval: number;
  /**
   * Milliseconds without a byte from the peer, after `ping` was called, until the connection is aborted: from 1 to
   * `Infinity` (never). A ping leaves after what is being sent, so your slowest peer should need less time than this
   * for all that may wait before a ping.
   */
  timeout: number;
  /**
   * Asks the peer for a sign of life, in the words of your protocol: any answer will do. It is called once in a silence,
   * and nobody waits for it. What it throws, or rejects with, ends nothing: the peer's silence decides, and the error of
   * that has it in `cause`.
   */
  ping: () => void | Promise<void>;
}

/**
 * Finds out if a peer is still there. A peer whose machine has lost power or whose cable was cut says nothing, and the
 * kernel notices that after hours, or never. Both sides of a connection can have one, and a connection several.
 *
 * Any byte of the peer counts, whoever receives it. If nobody receives, the heartbeat reads ahead: at most 64 KiB, which
 * the next receiving calls get. While that much waits, it cannot see further, and does not give the peer up.
 *
 * The clock is monotonic, and the time for which this process was stopped or computed does not count. `ping` and the
 * abort are never early, and on a process that is not busy late by at most a quarter of the shorter time. All
 * heartbeats share few timers, and none keeps the process alive.
 *
 * @param connection The connection with the peer.
 * @param options `interval` and `timeout` in milliseconds, and `ping`.
 * @returns Ends the heartbeat if it is disposed. It ends by itself when this side closes or aborts, when the peer has
 * ended its side, and when the connection is broken. It also ends with `startTls`, since `ping` knows the old handle:
 * begin another one on the connection over TLS. On a connection that is over it does nothing.
 *
 * If the peer stays silent, the connection is aborted: pending and later calls reject `TimedOut`, and an iteration throws
 * it.
 * @throws {SocketError} `InvalidInput` if an argument is wrong.
 *
 * @example
 * ```ts
 * import { accept, connect, heartbeat, listen, recvLine, send, SocketError } from "jsr:@aivi/sockets";
 * import { assertEquals, assertRejects } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = await connect(listener.address);
 * await using server = await accept(listener);
 * const PING = new TextEncoder().encode("PING\n");
 * using _heart = heartbeat(server, { interval: 20, timeout: 20, ping: () => send(server, PING) });
 *
 * assertEquals(await recvLine(client), "PING");
 * // This client does not answer.
 * await assertRejects(() => recvLine(server), SocketError, "the peer sent nothing");
 * ```
 */
export function heartbeat(
  connection: Connection<SocketAddress>,
  options: HeartbeatOptions,
): Disposable {
  const settings = readArguments(OPERATION, () => readOptions(options));
  if (!StreamConnection.is(connection)) throw notAConnection(OPERATION);
  return new Heartbeat(connection, settings);
}

function readOptions(options: HeartbeatOptions): HeartbeatOptions {
  if (typeof options !== "object" || options === null) {
    const right = "an object { interval, timeout, ping }";
    throw invalidInput(OPERATION, `options is ${describe(options)}, not ${right}`);
  }
  const { interval, timeout, ping } = options;
  if (typeof ping !== "function") {
    throw invalidInput(OPERATION, `ping is ${describe(ping)}, not a function`);
  }
  return {
    interval: checkTime("interval", interval),
    timeout: checkTime("timeout", timeout),
    ping,
  };
}

function checkTime(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 1) return value;
  const right = "a number of milliseconds from 1 to Infinity";
  throw invalidInput(OPERATION, `${name} is ${describe(value)}, not ${right}`);
}

/** The heartbeat of one connection. */
class Heartbeat implements Disposable, Beat, CloseObserver {
  readonly #connection: StreamConnection;
  readonly #settings: HeartbeatOptions;
  readonly #clock: HeartbeatClock;
  /** Bytes that had come at the last check. */
  #bytes: number;
  /** Time of the last check that found more bytes, by the clock (ms). */
  #quietSince: number;
  /** Time of the ping in this silence, by the clock (ms). */
  #pingedAt: number | undefined;
  #pingFailure: { readonly error: unknown } | undefined;

  constructor(connection: StreamConnection, settings: HeartbeatOptions) {
    this.#connection = connection;
    this.#settings = settings;
    this.#clock = HeartbeatClock.of(Math.min(settings.interval, settings.timeout));
    this.#bytes = connection.bytesArrived;
    this.#quietSince = 0;
    if (connection.closed || settings.interval === Infinity) return;
    connection.observeClose(this);
    this.#clock.add(this);
    this.#quietSince = this.#clock.time;
  }

  [Symbol.dispose](): void {
    this.#clock.remove(this);
    this.#connection.unobserveClose(this);
  }

  onConnectionClose(): void {
    this.#clock.remove(this);
  }

  check(time: number): boolean {
    const connection = this.#connection;
    const bytes = connection.bytesArrived;
    // If nobody receives, bytes that come are seen at the next check, and each of both times has eight.
    if (connection.readEnded) {
      this[Symbol.dispose]();
    } else if (bytes !== this.#bytes || !connection.readMoreAhead()) {
      this.#bytes = bytes;
      this.#quietSince = time;
      this.#pingedAt = undefined;
    } else if (this.#pingedAt === undefined) {
      if (time - this.#quietSince < this.#settings.interval) return false;
      this.#ping(time);
      return true;
    } else if (time - this.#pingedAt >= this.#settings.timeout) {
      this.#giveUp();
    }
    return false;
  }

  #ping(time: number): void {
    this.#pingedAt = time;
    this.#pingFailure = undefined;
    const { ping } = this.#settings;
    const note = (error: unknown) => this.#pingFailure = { error };
    try {
      void Promise.resolve(ping()).catch(note);
    } catch (error) {
      note(error);
    }
  }

  #giveUp(): void {
    const { interval, timeout } = this.#settings;
    const { remoteAddress } = this.#connection;
    const reason =
      `the peer sent nothing for ${interval} ms, nor within ${timeout} ms after a ping`;
    const error = new SocketError("TimedOut", OPERATION, reason, {
      ...remoteAddress.host === "" ? {} : { address: remoteAddress },
      retryable: false,
      ...this.#pingFailure === undefined ? {} : { cause: this.#pingFailure.error },
    });
    this[Symbol.dispose]();
    this.#connection.giveUp(error);
  }
}
