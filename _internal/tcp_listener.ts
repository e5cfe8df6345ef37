import { SocketError } from "../errors.ts";
import type { Address, Connection, Listener, OperationOptions } from "../types.ts";
import { fromRuntimeAddress, invalidInput } from "./arguments.ts";
import { Backoff } from "./backoff.ts";
import { Cancellation, cancelledError } from "./cancellation.ts";
import { toSocketError } from "./error_mapping.ts";
import { StreamConnection } from "./stream_connection.ts";
import { type TcpTuning, tuneTcp } from "./tcp_tuning.ts";
import { WaitingCalls } from "./waiting_calls.ts";

/**
 * Errors of accept(2) that belong to the one connection, or pass: the next accept is tried at once. The
 * list is that of the manual page ("treat them like EAGAIN by retrying"), with ENOTCONN from asking
 * the address of a client that has reset, and EPERM from a firewall.
 */
const PASSING: ReadonlySet<string | undefined> = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "ENOTCONN",
  "EPROTO",
  "EPERM",
  "EINTR",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOPROTOOPT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENONET",
  "EOPNOTSUPP",
  "ETIMEDOUT",
]);

/** A port that accepts connections, one runtime accept at a time whatever the number of callers. */
export class TcpListener implements Listener {
  readonly address: Address;
  readonly #listener: Deno.TcpListener;
  readonly #tuning: TcpTuning;
  readonly #sendQueueLimit: number;
  readonly #calls: WaitingCalls<StreamConnection>;
  readonly #backoff = new Backoff(() => this.#acceptNext());
  /** A connection that came for a call which was cancelled meanwhile. */
  #parked: StreamConnection | undefined;
  #accepting: Promise<void> | undefined;
  #failures = 0;
  #closed = false;

  constructor(listener: Deno.TcpListener, tuning: TcpTuning, sendQueueLimit: number) {
    this.#listener = listener;
    this.#tuning = tuning;
    this.#sendQueueLimit = sendQueueLimit;
    this.address = fromRuntimeAddress(listener.addr);
    this.#calls = new WaitingCalls("accept", this.address, () => this.#backoff.stop());
  }

  async accept(options: OperationOptions | undefined): Promise<StreamConnection> {
    const cancellation = Cancellation.read("accept", options);
    if (this.#closed) throw this.#closedError();
    const already = cancellation?.already;
    if (already !== undefined) throw cancelledError(already, "accept", this.address);
    const parked = this.#parked;
    if (parked !== undefined) {
      this.#parked = undefined;
      return parked;
    }
    const connection = this.#calls.wait(cancellation);
    this.#acceptNext();
    return await connection;
  }

  /** The port is free when this resolves: the runtime holds the descriptor until its accept ends. */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#backoff.stop();
      this.#calls.close(() => this.#closedError());
      this.#parked?.abort();
      this.#parked = undefined;
      this.#listener.close();
    }
    await this.#accepting;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Connection> {
    while (!this.#closed) {
      let connection: StreamConnection;
      try {
        connection = await this.accept(undefined);
      } catch (error) {
        if (this.#closed) return;
        // The next accept waits its time, so going on does not spin.
        if (error instanceof SocketError && error.kind === "ResourceExhausted") continue;
        throw error;
      }
      yield connection;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #acceptNext(): void {
    if (this.#accepting !== undefined || this.#closed || this.#calls.empty) return;
    // Whoever asks waits the pause out: a caller's own loop cannot spin either.
    if (this.#backoff.wait()) return;
    this.#accepting = this.#listener.accept().then(this.#onAccepted, this.#onError)
      .then(() => {
        this.#accepting = undefined;
        this.#acceptNext();
      });
  }

  readonly #onAccepted = (conn: Deno.TcpConn): void => {
    this.#failures = 0;
    this.#backoff.succeeded();
    if (this.#closed) return conn.close();
    tuneTcp(conn, this.#tuning);
    const connection = new StreamConnection(conn, this.#sendQueueLimit, true);
    if (!this.#calls.succeed(connection)) this.#parked = connection;
  };

  readonly #onError = (error: unknown): void => {
    if (this.#closed) return;
    const mapped = toSocketError(error, "accept", { address: this.address });
    if (mapped.kind === "ResourceExhausted") {
      this.#backoff.failed();
      this.#calls.fail(mapped);
    } else if (!PASSING.has(mapped.code)) {
      // Unknown: once is passed over like the others, again and again must not spin.
      this.#failures += 1;
      if (this.#failures > 1) this.#backoff.failed();
    }
  };

  #closedError(): SocketError {
    return new SocketError("Closed", "accept", "the listener is closed", { address: this.address });
  }
}

/** The listener behind a handle, or `InvalidInput`. */
export function listenerOf(operation: string, handle: unknown): TcpListener {
  if (handle instanceof TcpListener) return handle;
  throw invalidInput(operation, "the first argument is not a Listener of listen");
}
