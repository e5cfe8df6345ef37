import { SocketError } from "../errors.ts";
import { formatAddress } from "../address.ts";
import type {
  Address,
  Connection,
  ServeContext,
  Server,
  ShutdownOptions,
  ShutdownResult,
} from "../types.ts";
import { checkLimit, checkOptions, readArguments } from "./arguments.ts";
import { startTimer } from "./cancellation.ts";
import { ProxyHeaderReading } from "./proxy_reading.ts";
import { type Served, ServedConnections } from "./served_connections.ts";
import { StallWatch } from "./stall_watch.ts";
import type { StreamConnection } from "./stream_connection.ts";
import type { TcpListener } from "./tcp_listener.ts";
import type { TrustList } from "./trust_list.ts";

/** A backlog from which nobody has come for so long has nobody in it. */
const QUIET = 5;
/** Where clients keep coming, they are accepted for so long at most before the port is closed. */
const LONGEST_DRAIN = 1000;

/** What a server does with its connections; all of it has been checked. */
export interface ServerPlan {
  readonly handle: (connection: Connection, context: ServeContext) => void | Promise<void>;
  /** Nothing for a line on standard error. */
  readonly onError: ((error: unknown, connection?: Connection) => void) | undefined;
  readonly maxConnections: number;
  readonly maxConnectionsPerHost: number;
  readonly firstByteTimeout: number;
  readonly idleTimeout: number;
  readonly proxies: { readonly trusted: TrustList; readonly timeout: number } | undefined;
}

/** A loop that accepts, and the connections that came of it. */
export class ConnectionServer implements Server {
  accepted = 0;
  refused = 0;
  /** Resolves when nothing is left of it. */
  readonly finished: Promise<void>;
  readonly #listener: TcpListener;
  readonly #plan: ServerPlan;
  readonly #connections = new ServedConnections();
  readonly #watch: StallWatch;
  readonly #telling = new AbortController();
  readonly #context: ServeContext = { signal: this.#telling.signal, server: this };
  #shutdown: Promise<ShutdownResult> | undefined;
  #drained = 0;
  #aborted = 0;
  /** Whether the time for connections to end by themselves is up. */
  #timeIsUp = false;
  #lastAccept = 0;

  constructor(listener: TcpListener, plan: ServerPlan) {
    this.#listener = listener;
    this.#plan = plan;
    this.#watch = new StallWatch(
      this.#connections,
      { firstByte: plan.firstByteTimeout, idle: plan.idleTimeout },
      (served, why) => this.#endStalled(served, why),
    );
    this.finished = this.#run();
  }

  get address(): Address {
    return this.#listener.address;
  }

  get active(): number {
    return this.#connections.size;
  }

  async shutdown(options?: ShutdownOptions): Promise<ShutdownResult> {
    const limit = readArguments("shutdown", () => checkOptions("shutdown", options).timeout);
    const timeout = checkLimit("shutdown", "timeout", limit, Infinity);
    const stop = timeout === 0 ? this.#abortAll() : startTimer(timeout, () => this.#abortAll());
    this.#shutdown ??= this.#end();
    this.#connections.wake();
    try {
      // A call that comes later may be in more of a hurry: all are told the same.
      return await this.#shutdown;
    } finally {
      stop?.();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  async #run(): Promise<void> {
    await this.#accept();
    this.#telling.abort(
      new SocketError("Closed", "serve", "the server ends", {
        address: this.address,
      }),
    );
    while (this.active > 0) await this.#connections.whenLess();
  }

  /** Accepts until the listener is closed. */
  async #accept(): Promise<void> {
    const { maxConnections } = this.#plan;
    for (;;) {
      // While it ends, those in the backlog are let in all the same: closing the port would reset them.
      while (this.active >= maxConnections && this.#shutdown === undefined) {
        await this.#connections.whenLess();
      }
      let connection: StreamConnection;
      try {
        connection = await this.#listener.accept(undefined);
      } catch (error) {
        // What else an accept tells of passes, and it pauses by itself before the next try.
        if ((error as SocketError).kind === "Closed") return;
        this.#report(error);
        continue;
      }
      this.#lastAccept = performance.now();
      if (this.#timeIsUp) connection.abort();
      else void this.#serve(connection);
    }
  }

  async #serve(connection: StreamConnection): Promise<void> {
    const served = this.#connections.add(connection);
    this.#watch.begin(served);
    try {
      if (await this.#admit(served)) {
        this.accepted += 1;
        await this.#plan.handle(connection, this.#context);
        await connection.close(undefined);
      } else {
        this.refused += 1;
        connection.abort();
      }
    } catch (error) {
      this.#failed(served, error);
      await connection.close(undefined).catch(() => {});
    }
    this.#over(served);
  }

  /** Whether it may be served; its client is known then. */
  async #admit(served: Served): Promise<boolean> {
    const { proxies, maxConnectionsPerHost } = this.#plan;
    const { connection } = served;
    if (proxies !== undefined && !await this.#greet(connection, proxies)) return false;
    return maxConnectionsPerHost === Infinity ||
      this.#connections.countFor(connection.remoteAddress.host, served, maxConnectionsPerHost);
  }

  /** Whether a proxy that is trusted has said on whose behalf it connects. */
  async #greet(
    connection: StreamConnection,
    { trusted, timeout }: { trusted: TrustList; timeout: number },
  ): Promise<boolean> {
    if (!trusted.has(connection.remoteAddress.host)) return false;
    try {
      const reading = new ProxyHeaderReading(connection);
      await connection.recvDecoded("recvProxyHeader", reading, { timeout });
      return true;
    } catch (error) {
      this.#report(error, connection);
      return false;
    }
  }

  #over(served: Served): void {
    if (!this.#connections.delete(served)) return;
    this.#watch.over();
    if (this.#shutdown !== undefined) this.#drained += 1;
  }

  #endStalled(served: Served, why: SocketError): void {
    served.ended = why;
    this.#report(why, served.connection);
    served.connection.abort();
  }

  /** What a handler throws because the server has ended its connection is no news. */
  #failed(served: Served, error: unknown): void {
    const own = error instanceof SocketError && error.kind === "Closed";
    if (served.ended === undefined || !own) this.#report(error, served.connection);
  }

  #report(error: unknown, connection?: Connection): void {
    const { onError } = this.#plan;
    try {
      if (onError === undefined) console.error(line(this.address, error, connection));
      else onError(error, connection);
    } catch (mistake) {
      console.error(`serve ${formatAddress(this.address)}: onError failed:`, mistake);
    }
  }

  async #end(): Promise<ShutdownResult> {
    await this.#drainBacklog();
    await this.#listener.close();
    await this.finished;
    return { drained: this.#drained, aborted: this.#aborted };
  }

  /** Lets those in that wait in the kernel, whom closing the port would reset. */
  async #drainBacklog(): Promise<void> {
    const begin = this.#lastAccept = performance.now();
    for (;;) {
      const now = performance.now();
      const quiet = now - this.#lastAccept;
      if (this.#timeIsUp || quiet >= QUIET || now - begin >= LONGEST_DRAIN) return;
      await new Promise<void>((resolve) => startTimer(QUIET - quiet, resolve));
    }
  }

  /** Nobody waits for the handlers of these any more. */
  #abortAll(): undefined {
    this.#timeIsUp = true;
    const why = new SocketError("Closed", "serve", "the server ends", { address: this.address });
    for (const served of this.#connections) {
      served.ended ??= why;
      this.#aborted += 1;
      served.connection.abort();
      this.#connections.delete(served);
    }
    this.#watch.over();
  }
}

/**
 * One line, with nothing of what was received or is to be sent: an error that is not this package's own may
 * quote it, so only its name is said.
 */
function line(server: Address, error: unknown, connection: Connection | undefined): string {
  const who = connection === undefined ? "" : ` ${formatAddress(connection.remoteAddress)}:`;
  return `serve ${formatAddress(server)}:${who} ${summary(error)}`;
}

function summary(error: unknown): string {
  if (error instanceof SocketError) {
    const { kind, operation, code } = error;
    return `${kind} in ${operation}${code === undefined ? "" : ` (${code})`}`;
  }
  const what = error instanceof Error ? error.constructor.name : `a ${typeof error}`;
  return `the handler failed with ${what}; onError is told more`;
}
