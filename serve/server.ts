import { SocketError } from "../errors.ts";
import type {
  Address,
  Connection,
  ServeContext,
  Server,
  ShutdownOptions,
  ShutdownResult,
} from "../types.ts";
import { checkLimit, checkOptions, readArguments } from "../core/arguments.ts";
import { AwaitedHeaders, type ProxyTrust } from "./awaited_headers.ts";
import { BacklogDrain } from "./backlog_drain.ts";
import { DEFAULT_FLUSH_TIMEOUT } from "../connection/graceful_close.ts";
import { HandlerContext } from "./handler_context.ts";
import { type OnRefused, type RefusalReason, Refusals } from "./refusals.ts";
import { type Served, ServedConnections } from "./served_connections.ts";
import { asSocketError, ErrorReports, type OnError } from "./error_reports.ts";
import { IdleTimeouts } from "./idle_timeouts.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { StreamListener } from "../connection/stream_listener.ts";
import { startDeadline } from "../core/timer.ts";

/** What a server does with its connections; all of it has been checked. */
export interface ServerPlan {
  readonly handle: (connection: Connection, context: ServeContext) => void | Promise<void>;
  /** Nothing for a line on standard error. */
  readonly onError: OnError | undefined;
  /** Nothing if clients that are refused are not told. */
  readonly onRefused: OnRefused | undefined;
  readonly maxConnections: number;
  readonly whenFull: "wait" | "refuse";
  readonly maxConnectionsPerHost: number;
  readonly firstByteTimeout: number;
  readonly idleTimeout: number;
  readonly linger: number;
  readonly proxies: ProxyTrust | undefined;
}

/** A loop that accepts, and the connections that came of it. */
export class ConnectionServer implements Server {
  readonly finished: Promise<void>;
  readonly #listener: StreamListener;
  readonly #plan: ServerPlan;
  readonly #backlog = new BacklogDrain();
  readonly #connections = new ServedConnections();
  readonly #watch: IdleTimeouts;
  readonly #reports: ErrorReports;
  readonly #refusals: Refusals;
  readonly #headers: AwaitedHeaders;
  readonly #telling = new AbortController();
  #accepted = 0;
  #refused = 0;
  #drained = 0;
  #aborted = 0;
  #shutdown: Promise<ShutdownResult> | undefined;
  /** Whether the time for connections to end by themselves is up. */
  #timeIsUp = false;

  #referenced = true;

  /** Asks for the fields, not the prototype, which a proxy or an heir has as well. */
  static is(handle: unknown): handle is ConnectionServer {
    return typeof handle === "object" && handle !== null && #plan in handle;
  }

  constructor(listener: StreamListener, plan: ServerPlan) {
    this.#listener = listener;
    this.#plan = plan;
    this.#reports = new ErrorReports(listener.address, plan.onError);
    this.#headers = new AwaitedHeaders(this.#reports);
    this.#refusals = new Refusals(plan.onRefused, this.#reports, () => this.#connections.wake());
    this.#watch = new IdleTimeouts(
      this.#connections,
      { firstByte: plan.firstByteTimeout, idle: plan.idleTimeout },
      (served, why) => this.#endStalled(served, why),
    );
    listener.onClose = () => this.#connections.wake();
    this.finished = this.#run();
  }

  get address(): Address {
    return this.#listener.address;
  }

  get active(): number {
    return this.#connections.size;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Whether its clients, those that are there and those to come, keep the process alive. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    this.#listener.setReferenced(on);
    this.#watch.setReferenced(on);
    for (const { connection } of this.#connections) connection.setReferenced(on);
  }

  async shutdown(options?: ShutdownOptions): Promise<ShutdownResult> {
    const limit = readArguments("shutdown", () => checkOptions("shutdown", options).timeout);
    const timeout = checkLimit("shutdown", "timeout", limit, Infinity);
    this.#backlog.limit(timeout);
    const stop = timeout === 0 ? this.#abortAll() : startDeadline(timeout, () => this.#abortAll());
    this.#shutdown ??= this.#end();
    this.#connections.placeAll();
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

  /** What a console shows: the figures that a reader of a log wants, not the machinery. */
  [Symbol.for("Deno.customInspect")](
    inspect: (value: unknown, options: unknown) => string,
    options: unknown,
  ): string {
    const { address, active, accepted, refused } = this;
    return `Server ${inspect({ address, active, accepted, refused }, options)}`;
  }

  async #run(): Promise<void> {
    await this.#accept();
    await this.#listener.close(this.#take);
    this.#tell();
    while (this.active > 0 || this.#refusals.size > 0) await this.#connections.waitLess();
  }

  /** Accepts until the listener is closed, by whomever. */
  async #accept(): Promise<void> {
    while (!this.#listener.closed) {
      if (this.#full) {
        await this.#connections.waitLess();
        continue;
      }
      let connection: StreamConnection;
      try {
        connection = await this.#listener.accept(undefined);
      } catch (error) {
        this.#notAccepted(error);
        continue;
      }
      this.#backlog.accepted();
      this.#take(connection);
    }
  }

  readonly #take = (connection: StreamConnection): void => {
    if (!this.#timeIsUp) return void this.#serve(connection);
    connection.abort();
    this.#aborted++;
  };

  /** While it ends, those in the backlog are let in all the same: closing the port would reset them. */
  get #full(): boolean {
    const { maxConnections, whenFull } = this.#plan;
    return whenFull === "wait" && this.#shutdown === undefined &&
      this.#connections.places >= maxConnections;
  }

  /** A listener that is not closed tells only of what passes, and it pauses before the next try. */
  #notAccepted(error: unknown): void {
    if (this.#listener.closed) return;
    this.#backlog.failed();
    this.#reports.tell({ error, said: (error as SocketError).reason });
  }

  async #serve(connection: StreamConnection): Promise<void> {
    const { proxies } = this.#plan;
    const served = this.#connections.add(connection);
    if (!this.#referenced) connection.setReferenced(false);
    if (proxies !== undefined && !await this.#headers.read(connection, proxies)) {
      return this.#refuse(served, undefined);
    }
    const refusal = this.#admit(served);
    if (refusal !== undefined) return this.#refuse(served, refusal);
    // The accept loop has looked whether there is a place, but that was before the header.
    if (proxies !== undefined && this.#full) await this.#connections.waitPlace(served);
    else this.#connections.place(served);
    if (served.ended !== undefined) return;
    await this.#handle(served);
    if (!this.#connections.delete(served)) return;
    this.#watch.over();
    if (this.#shutdown !== undefined) this.#countEnd(served);
  }

  /** Counts it for its client's host, and says why it cannot be served, if so. */
  #admit(served: Served): RefusalReason | undefined {
    const { maxConnections, maxConnectionsPerHost, whenFull } = this.#plan;
    if (
      maxConnectionsPerHost !== Infinity &&
      !this.#connections.countFor(served, maxConnectionsPerHost)
    ) return "maxConnectionsPerHost";
    const full = whenFull === "refuse" && this.#connections.places >= maxConnections;
    return full ? "maxConnections" : undefined;
  }

  #refuse(served: Served, reason: RefusalReason | undefined): void {
    if (served.ended !== undefined) return;
    this.#refused++;
    this.#refusals.refuse(served.connection, reason);
    this.#connections.delete(served);
    this.#watch.over();
  }

  async #handle(served: Served): Promise<void> {
    const { connection } = served;
    this.#accepted++;
    served.handler = "at work";
    this.#watch.begin(served);
    const context = new HandlerContext(connection, this.#telling.signal, this);
    try {
      await this.#plan.handle(connection, context);
    } catch (error) {
      const expected = HandlerContext.endedBySignal(context, error) ||
        served.ended !== undefined && asSocketError(error)?.kind === "Closed";
      if (!expected) this.#reports.tell({ error, connection });
    }
    served.handler = "over";
    const { linger, idleTimeout } = this.#plan;
    const flushTimeout = idleTimeout === Infinity ? DEFAULT_FLUSH_TIMEOUT : idleTimeout;
    try {
      await connection.closeAfterHandler({ linger, flushTimeout });
    } catch (error) {
      if (served.ended !== undefined) return;
      served.ended = error as SocketError;
      this.#reports.tell({ error, connection, said: served.ended.reason });
    }
  }

  #countEnd(served: Served): void {
    if (served.ended === undefined) this.#drained++;
    else this.#aborted++;
  }

  #endStalled(served: Served, why: SocketError): void {
    const { connection } = served;
    served.ended = why;
    connection.abort();
    // Its handler may wait elsewhere for long. The client is gone, and others may have its place.
    this.#connections.release(served);
    this.#reports.tell({ error: why, connection, said: why.reason });
  }

  async #end(): Promise<ShutdownResult> {
    // Those who are told close their connections, whose descriptors let the others in.
    await this.#backlog.run(() => this.#timeIsUp || this.#listener.closed, () => this.#tell());
    await this.#listener.close(this.#take);
    await this.finished;
    return { drained: this.#drained, aborted: this.#aborted };
  }

  #tell(): void {
    if (!this.#telling.signal.aborted) this.#telling.abort(this.#ending());
  }

  #ending(): SocketError {
    return new SocketError("Closed", "serve", "the server ends", { address: this.address });
  }

  /** Nobody waits for the handlers of these any more. */
  #abortAll(): undefined {
    this.#timeIsUp = true;
    this.#tell();
    for (const served of this.#connections) {
      const { connection, handler } = served;
      // What it has sent has left; that the client has not closed yet loses nothing.
      if (handler === "over" && connection.bytesQueued === 0) this.#drained++;
      else this.#aborted++;
      served.ended ??= this.#ending();
      connection.abort();
      this.#connections.delete(served);
    }
    this.#refusals.abortAll();
    this.#watch.over();
  }
}
