import { SocketError } from "../errors.ts";
import type { CloseOptions, Connection, Link, OperationOptions, SocketAddress } from "../types.ts";
import { readCloseLimits } from "../connection/graceful_close.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { describe, invalidInput } from "../core/arguments.ts";
import {
  Cancellation,
  type Cancelled,
  cancelledError,
  SharedAbortListener,
  waitUnlessCancelled,
} from "../core/cancellation.ts";
import { summarize } from "../core/error_mapping.ts";
import { type Deferred, deferred, ignoreRejection } from "../core/waiting_calls.ts";
import { Attempt, type AttemptFailure, type AttemptObserver } from "./attempt.ts";
import type { LinkSettings } from "./link_options.ts";
import { ReconnectPause } from "./reconnect_pause.ts";

const OPERATION = "keepConnected";

/** The end of a link. */
interface LinkEnd {
  /** The error of calls that wait or come later. */
  readonly error: unknown;
  /** True if nobody asked for this end: `finished` rejects then. */
  readonly failed: boolean;
}

/** A call of `up` that waits. */
interface WaitingUp extends Deferred<Connection<SocketAddress>> {
  /** Ends the watch on its signal and timeout. */
  readonly stop: (() => void) | undefined;
}

/** A loop of attempts that owns the connection. */
export class KeptLink implements Link<SocketAddress>, AttemptObserver {
  readonly finished: Promise<void>;
  readonly #settings: LinkSettings;
  readonly #pause: ReconnectPause;
  readonly #waiters = new Set<WaitingUp>();
  /** Stops waiting for an answer of `retry`. */
  #stopAsking = () => {};
  #state: Link["state"] = "connecting";
  #lastError: unknown;
  /** Attempts in a row without a stable session. */
  #attempts = 0;
  /** The attempt under way. */
  #attempt: Attempt | undefined;
  /** The endpoint of the attempt before. */
  #lastEndpoint: SocketAddress | undefined;
  /** The connection of a session that is ready. */
  #connection: StreamConnection | undefined;
  /** Time at which the last session became ready (ms). */
  #readyAt = 0;
  #end: LinkEnd | undefined;
  /** True once nothing of the link is left. */
  #over = false;
  #stopSignal: (() => void) | undefined;

  constructor(settings: LinkSettings) {
    this.#settings = settings;
    this.#pause = new ReconnectPause(settings.backoff);
    this.finished = this.#run();
    // A program may watch only `up`, or only `onChange`.
    ignoreRejection(this.finished);
  }

  get state(): Link["state"] {
    return this.#state;
  }

  get lastError(): unknown {
    return this.#lastError;
  }

  up(options?: OperationOptions): Promise<Connection<SocketAddress>> {
    try {
      const cancellation = Cancellation.read("up", options);
      if (this.#end !== undefined) throw this.#end.error;
      const already = cancellation?.already;
      if (already?.kind === "Aborted") throw this.#cancelled(already);
      // Somebody may have closed or broken the connection, and the link has not noticed yet.
      if (this.#connection?.lost === false) {
        return Promise.resolve(this.#connection);
      }
      if (already !== undefined) throw this.#lastError ?? this.#cancelled(already);
      return this.#wait(cancellation);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #wait(cancellation: Cancellation | undefined): Promise<Connection<SocketAddress>> {
    const { promise, resolve, reject } = deferred<Connection<SocketAddress>>();
    const stop = cancellation?.watch((why) => {
      this.#waiters.delete(waiter);
      reject(this.#cancelled(why));
    }, undefined);
    const waiter = { promise, resolve, reject, stop };
    this.#waiters.add(waiter);
    return promise;
  }

  /** Takes out the calls of `up` that wait. */
  #takeWaiters(): WaitingUp[] {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const { stop } of waiters) stop?.();
    return waiters;
  }

  retryNow(): void {
    if (this.#state === "waiting") this.#pause.skip();
  }

  async close(options?: CloseOptions): Promise<void> {
    const cancellation = Cancellation.read("close", options);
    const limits = readCloseLimits(options);
    if (this.#over) return;
    const why = this.#endInOrder("the link is closed on this side");
    this.#attempt?.interrupt(why, limits);
    const abort = () => this.#attempt?.interrupt(why);
    const delivered = this.#delivered();
    // Nobody waits for it if the call is cancelled.
    ignoreRejection(delivered);
    await waitUnlessCancelled(delivered, cancellation, { peer: this.#endpoint }, abort);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Shows what a reader of a log wants to know. */
  [Symbol.for("nodejs.util.inspect.custom")](
    _depth: number,
    options: unknown,
    inspect: (value: unknown, options: unknown) => string,
  ): string {
    const { state, lastError } = this;
    return `Link ${inspect({ state, lastError }, options)}`;
  }

  onReady(connection: StreamConnection): void {
    this.#connection = connection;
    this.#readyAt = performance.now();
    for (const { resolve } of this.#takeWaiters()) resolve(connection);
    this.#setState("ready");
  }

  onSessionOver(stable: boolean, failure: AttemptFailure | undefined): void {
    const wasReady = this.#connection !== undefined;
    this.#connection = undefined;
    if (this.#end !== undefined) return;
    // A callback that learns of the new state wants to know why.
    this.#lastError = failure?.error;
    if (stable) {
      this.#attempts = 0;
      this.#pause.reset();
      // A session that was shorter than a pause may be cannot stand for one: two servers that accept and close at once
      // got 1,100 connections a second, with a `stableAfter` of 0.
      const lasted = performance.now() - this.#readyAt;
      if (lasted >= this.#pause.firstLimit) this.#settings.endpoints.beginRound(1);
    }
    if (wasReady) this.#setState(this.#settings.endpoints.roundOver ? "waiting" : "connecting");
  }

  async #run(): Promise<void> {
    // The caller's functions may name the link, which the caller does not have before this turn ends.
    await undefined;
    this.#watchSignal();
    while (this.#end === undefined) {
      this.#setState("connecting");
      if (this.#end === undefined) await this.#tryOnce();
    }
    this.#over = true;
    const { failed, error } = this.#end as LinkEnd;
    if (failed) throw error;
  }

  #watchSignal(): void {
    const { signal } = this.#settings;
    if (signal === undefined || this.#end !== undefined) return;
    const end = () => {
      const why = this.#endInOrder("the signal of the link has aborted", signal.reason);
      this.#attempt?.interrupt(why);
    };
    if (signal.aborted) end();
    else this.#stopSignal = SharedAbortListener.add(signal, end);
  }

  /** Makes one attempt, and prepares the next one or ends the link. */
  async #tryOnce(): Promise<void> {
    const { endpoints, attempts } = this.#settings;
    if (endpoints.roundOver) endpoints.beginRound(0);
    this.#attempts++;
    const attempt = new Attempt(this.#settings, this, this.#attempts, this.#lastError);
    this.#attempt = attempt;
    const failure = await attempt.run();
    if (this.#end !== undefined) return;
    this.#attempt = undefined;
    this.#lastEndpoint = attempt.endpoint;
    this.#lastError = failure?.error;
    if (failure?.thrown && !await this.#mayRetry(failure)) return;
    if (this.#attempts >= attempts) return this.#finish({ error: this.#lastError, failed: true });
    if (!endpoints.roundOver) return;
    this.#setState("waiting");
    if (this.#end === undefined) await this.#pause.wait();
  }

  /** Asks `retry` about an error. If it says no, or fails, the link ends. */
  async #mayRetry({ error }: AttemptFailure): Promise<boolean> {
    let failed = error;
    try {
      const answer = await this.#askRetry(error);
      if (this.#end !== undefined) return false;
      if (answer === true) return true;
      if (answer !== false) {
        throw invalidInput(OPERATION, `retry gave ${describe(answer)}, not true or false`, error);
      }
    } catch (mistake) {
      failed = this.#lastError = mistake;
    }
    this.#finish({ error: failed, failed: true });
    return false;
  }

  /** Waits for the answer of `retry`, but not after the end of the link. */
  #askRetry(error: unknown): Promise<unknown> {
    const { retry } = this.#settings;
    const { promise, resolve, reject } = deferred<unknown>();
    // A race with a promise that lasts as long as the link would keep a record of each failure.
    this.#stopAsking = () => resolve(undefined);
    (async () => await retry(error))().then(resolve, reject);
    return promise;
  }

  /** Ends the link: nothing is tried any more, and everybody who waits learns why. */
  #finish(end: LinkEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#connection = undefined;
    this.#stopSignal?.();
    for (const { promise, reject } of this.#takeWaiters()) {
      // The program ends the link itself, so nobody needs to be watching the call.
      if (!end.failed) ignoreRejection(promise);
      reject(end.error);
    }
    this.#stopAsking();
    this.#pause.stop();
    this.#setState("ended");
  }

  /** Waits until everything is over, and rejects if what was sent could not be delivered. */
  async #delivered(): Promise<void> {
    await this.finished.catch(() => {});
    const lost = this.#attempt?.deliveryError;
    if (lost !== undefined) throw lost;
  }

  #setState(state: Link["state"]): void {
    if (this.#state === state || this.#state === "ended") return;
    this.#state = state;
    void this.#reportChange(state);
  }

  async #reportChange(state: Link["state"]): Promise<void> {
    const { onChange } = this.#settings;
    try {
      await onChange?.(state);
    } catch (mistake) {
      console.error(`${OPERATION}: onChange failed with ${summarize(mistake)}`);
    }
  }

  get #endpoint(): SocketAddress | undefined {
    return this.#attempt?.endpoint ?? this.#lastEndpoint;
  }

  /** Ends the link because the program wants it, and returns the reason for its session. */
  #endInOrder(reason: string, cause: unknown = this.#lastError): SocketError {
    const address = this.#endpoint;
    const context = { address, ...(cause === undefined ? {} : { cause }) };
    const error = new SocketError("Closed", "up", reason + this.#because, context);
    this.#finish({ error, failed: false });
    return new SocketError("Closed", OPERATION, reason, { address });
  }

  /** Makes the error of a call that stops waiting. */
  #cancelled(why: Cancelled): SocketError {
    const cause = "cause" in why ? why.cause : this.#lastError;
    const reason = why.reason + this.#because;
    return cancelledError(
      cause === undefined ? { kind: why.kind, reason } : { kind: why.kind, reason, cause },
      "up",
      this.#endpoint,
    );
  }

  /** The last error in a few words, for messages. */
  get #because(): string {
    const error = this.#lastError;
    if (error === undefined) return "";
    const text = error instanceof SocketError ? `${error.operation}: ${error.reason}` : undefined;
    return ` (last error: ${text ?? summarize(error)})`;
  }
}
