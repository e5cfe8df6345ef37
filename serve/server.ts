import { SocketError } from "../errors.ts";
import { report } from "../observe/observers.ts";
import type { Server, ShutdownOptions, ShutdownResult, SocketAddress } from "../types.ts";
import { checkLimit, checkOptions, readArguments } from "../core/arguments.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { StreamListener } from "../connection/stream_listener.ts";
import { startDeadline } from "../core/timer.ts";
import { AcceptLoop } from "./accept_loop.ts";
import { Admission } from "./admission.ts";
import { ErrorReports } from "./error_reports.ts";
import { callHandler, HandlerContext } from "./handler_call.ts";
import { IdleTimeouts } from "./idle_timeouts.ts";
import type { ServerSettings } from "./serve_options.ts";
import { type Served, ServedConnections } from "./served_connections.ts";

/** Serves the clients of a listener, and ends without losing what is under way. */
export class ConnectionServer implements Server<SocketAddress> {
  readonly finished: Promise<void>;
  readonly #listener: StreamListener;
  readonly #settings: ServerSettings;
  readonly #connections = new ServedConnections();
  readonly #reports: ErrorReports;
  readonly #admission: Admission;
  readonly #idleTimeouts: IdleTimeouts;
  readonly #accepting: AcceptLoop;
  /** Aborts the signal of the handlers. */
  readonly #ending = new AbortController();
  #referenced = true;
  #accepted = 0;
  #drained = 0;
  #aborted = 0;
  #timedOut = 0;
  /** Time at which the end began (ms). */
  #endBegin: number | undefined;
  #shutdown: Promise<ShutdownResult> | undefined;
  /** True once the time for connections to end by themselves is up. */
  #timeIsUp = false;

  static is(handle: unknown): handle is ConnectionServer {
    return handle instanceof ConnectionServer;
  }

  constructor(listener: StreamListener, settings: ServerSettings) {
    this.#listener = listener;
    this.#settings = settings;
    this.#reports = new ErrorReports(listener.address, settings.onError);
    this.#admission = new Admission(settings, this.#connections, this.#reports);
    this.#idleTimeouts = new IdleTimeouts(
      this.#connections,
      settings,
      (served, why) => this.#endStalled(served, why),
    );
    this.#accepting = new AcceptLoop(
      listener,
      this.#admission,
      this.#take,
      (error) => this.#reports.report({ error, line: error.reason }),
    );
    this.#connections.onEmpty = () => this.#idleTimeouts.stop();
    listener.onClose = () => this.#connections.wake();
    this.finished = this.#run();
  }

  get address(): SocketAddress {
    return this.#listener.address;
  }

  get active(): number {
    return this.#connections.size;
  }

  get accepted(): number {
    return this.#accepted;
  }

  get refused(): number {
    return this.#admission.refused;
  }

  get aborted(): number {
    return this.#aborted;
  }

  get timedOut(): number {
    return this.#timedOut;
  }

  /** Sets whether clients, present and future, keep the process alive. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    this.#listener.setReferenced(on);
    this.#idleTimeouts.setReferenced(on);
    for (const { connection } of this.#connections) connection.setReferenced(on);
  }

  async shutdown(options?: ShutdownOptions): Promise<ShutdownResult> {
    const limit = readArguments("shutdown", () => checkOptions("shutdown", options).timeout);
    const timeout = checkLimit("shutdown", "timeout", limit, Infinity);
    this.#endBegin ??= performance.now();
    this.#accepting.limitDrain(timeout);
    const stop = timeout === 0 ? this.#abortAll() : startDeadline(timeout, () => this.#abortAll());
    this.#shutdown ??= this.#end();
    this.#admission.open();
    try {
      // A later call may have a shorter timeout: all calls resolve to the same result.
      return await this.#shutdown;
    } finally {
      stop?.();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  /** Shows the figures that matter in a log, instead of the fields of this class. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: unknown,
    inspect: (value: unknown, options: unknown) => string,
  ): string {
    const { address, active, accepted, refused, aborted, timedOut } = this;
    const figures = { address, active, accepted, refused, aborted, timedOut };
    return `Server ${inspect(figures, options)}`;
  }

  async #run(): Promise<void> {
    await this.#accepting.run();
    const begin = this.#endBegin ??= performance.now();
    await this.#listener.close(this.#take);
    this.#signalShutdown();
    while (this.active > 0 || this.#admission.closing > 0) await this.#connections.waitChange();
    report("shutdown", {
      server: this,
      duration: performance.now() - begin,
      drained: this.#drained,
      aborted: this.#aborted,
    });
  }

  readonly #take = (connection: StreamConnection): void => {
    if (!this.#timeIsUp) return void this.#serve(connection);
    connection.abort();
    this.#aborted++;
  };

  async #serve(connection: StreamConnection): Promise<void> {
    const served = this.#connections.add(connection);
    if (!this.#referenced) connection.setReferenced(false);
    if (!await this.#admission.admit(served) || served.ended !== undefined) return;
    this.#accepted++;
    this.#idleTimeouts.begin(served);
    const context = new HandlerContext(served, this.#ending.signal, this);
    await callHandler(served, context, this.#settings, this.#reports);
    if (!served.stalled && connection.endError?.kind === "TimedOut") this.#timedOut++;
    if (!this.#connections.delete(served) || this.#shutdown === undefined) return;
    if (served.ended === undefined) this.#drained++;
    else this.#aborted++;
  }

  #endStalled(served: Served, why: SocketError): void {
    const { connection } = served;
    served.ended = why;
    served.stalled = true;
    this.#timedOut++;
    connection.abortBecause(why);
    // The client is gone, so others may have its place, even if its handler goes on for long.
    this.#connections.release(served);
    this.#reports.report({ error: why, connection, line: why.reason });
  }

  async #end(): Promise<ShutdownResult> {
    // Without descriptors, handlers must end first: the descriptors of their connections let others in.
    await this.#accepting.drain(() => this.#timeIsUp, () => this.#signalShutdown());
    await this.#listener.close(this.#take);
    await this.finished;
    return { drained: this.#drained, aborted: this.#aborted };
  }

  #signalShutdown(): void {
    if (!this.#ending.signal.aborted) this.#ending.abort(this.#endedError());
  }

  #endedError(): SocketError {
    return new SocketError("Closed", "serve", "the server ends", { address: this.address });
  }

  /** Aborts all connections; nobody waits for their handlers any more. */
  #abortAll(): undefined {
    this.#timeIsUp = true;
    this.#signalShutdown();
    for (const served of this.#connections) {
      const { connection, handler } = served;
      // Everything it sent has left; if only its client has not closed yet, nothing is lost.
      if (handler === "over" && connection.bytesQueued === 0) this.#drained++;
      else this.#aborted++;
      served.ended ??= this.#endedError();
      connection.abort();
      this.#connections.delete(served);
    }
    this.#admission.abortRefused();
  }
}
