import { SocketError } from "../errors.ts";
import type { LinkContext, SocketAddress } from "../types.ts";
import type { CloseLimits } from "../connection/graceful_close.ts";
import { readCloseLimits } from "../connection/graceful_close.ts";
import { StreamConnection } from "../connection/stream_connection.ts";
import { describe, invalidInput } from "../core/arguments.ts";
import { startDeadline, startTimer } from "../core/timer.ts";
import type { LinkSettings } from "./link_options.ts";

const OPERATION = "keepConnected";
/** A session that was ended has at most this long to return, if no option says otherwise. */
const GRACE_MS = 1000;
/** A close waits at most this long for a session, whatever `linger` is. The session may wait for the same close. */
const LONGEST_CLOSE_GRACE_MS = 30_000;

/** Gets the events of an attempt. */
export interface AttemptObserver {
  /** The session has said that the connection is ready. */
  onReady(connection: StreamConnection): void;
  /**
   * The session is over, or has to be. It was stable if it was ready for long enough. The failure is the one that is
   * known by now.
   */
  onSessionOver(stable: boolean, failure: AttemptFailure | undefined): void;
}

/** The reason why an attempt did not lead to a stable session, or why that session ended. */
export interface AttemptFailure {
  readonly error: unknown;
  /** False if the session returned too early, which is no error to ask `retry` about. */
  readonly thrown: boolean;
}

/** One attempt: an endpoint, a connection, its session, and the end of both. */
export class Attempt {
  readonly #settings: LinkSettings;
  readonly #observer: AttemptObserver;
  readonly #number: number;
  #lastError: unknown;
  /** Aborts the session's signal. */
  readonly #ending = new AbortController();
  readonly #interrupted = Promise.withResolvers<void>();
  /** Settles if the attempt must end without waiting for the session. */
  readonly #hurried = Promise.withResolvers<void>();
  #interruption: SocketError | undefined;
  /** Limits of a graceful close, if that is how the attempt was interrupted. */
  #limits: CloseLimits | undefined;
  #endpoint: SocketAddress | undefined;
  /** The connection as it was connected: the session may have called `startTls` on it. */
  #connection: StreamConnection | undefined;
  #stopHandshakeTimer = () => {};
  #readyAt: number | undefined;
  #sessionOver = false;
  #stable = false;
  #deliveryError: unknown;

  /**
   * @param number The number of this attempt since the last stable session, from 1 on.
   * @param lastError The error of the attempt before.
   */
  constructor(
    settings: LinkSettings,
    observer: AttemptObserver,
    number: number,
    lastError: unknown,
  ) {
    this.#settings = settings;
    this.#observer = observer;
    this.#number = number;
    this.#lastError = lastError;
  }

  /** The endpoint, once it is known. */
  get endpoint(): SocketAddress | undefined {
    return this.#endpoint;
  }

  /** The error of a graceful end that could not deliver what was sent. */
  get deliveryError(): unknown {
    return this.#deliveryError;
  }

  /** Runs to the end. It never rejects, and waits for no function of the caller for ever. */
  async run(): Promise<AttemptFailure | undefined> {
    const { handshakeTimeout } = this.#settings;
    this.#stopHandshakeTimer = startDeadline(handshakeTimeout, () => {
      this.interrupt(this.#error("TimedOut", `not ready within ${handshakeTimeout} ms`));
    });
    try {
      return await this.#tryOnce();
    } catch (error) {
      return { error: this.#interruption ?? error, thrown: true };
    } finally {
      this.#stopHandshakeTimer();
      this.#connection?.latest.abort();
      // The stack of an error holds the objects whose methods ran. This one would make a chain of all errors so far.
      this.#lastError = undefined;
      if (!this.#ending.signal.aborted) {
        this.#ending.abort(this.#error("Closed", "the session is over"));
      }
    }
  }

  /**
   * Ends the attempt early. Its signal aborts, and its connection is aborted as well, or closed gracefully if there are
   * limits for that. Of several reasons the first one counts, but a later call without limits makes a graceful end a
   * quick one.
   */
  interrupt(why: SocketError, limits?: CloseLimits): void {
    if (this.#interruption === undefined) {
      this.#interruption = why;
      this.#limits = limits;
      this.#stopHandshakeTimer();
      this.#ending.abort(why);
      this.#interrupted.resolve();
    } else if (limits === undefined) this.#hurried.resolve();
    if (limits === undefined) this.#connection?.latest.abort(why);
  }

  async #tryOnce(): Promise<AttemptFailure | undefined> {
    const { endpoints, connect } = this.#settings;
    const { signal } = this.#ending;
    const endpoint = await this.#unlessInterrupted(() => endpoints.next(this.#number));
    this.#endpoint = endpoint;
    const connection = await this.#unlessInterrupted(async () => {
      const connected = checkConnection(await connect(endpoint, { signal }));
      // It may come long after the attempt has ended.
      if (this.#interruption === undefined) this.#connection = connected;
      else connected.abort(this.#interruption);
      return connected;
    });
    return await this.#runSession(connection, endpoint);
  }

  /** Waits for a function of the caller, but not after an interruption. */
  #unlessInterrupted<T>(work: () => Promise<T>): Promise<T> {
    const interrupted = this.#interrupted.promise.then(() => Promise.reject(this.#interruption));
    return Promise.race([interrupted, work()]).then((value) => {
      if (this.#interruption !== undefined) throw this.#interruption;
      return value;
    });
  }

  async #runSession(
    connection: StreamConnection,
    endpoint: SocketAddress,
  ): Promise<AttemptFailure | undefined> {
    const call = new SessionCall(
      this.#settings.session,
      connection,
      this.#context(connection, endpoint),
    );
    await Promise.race([call.settled, connection.waitLost(), this.#interrupted.promise]);
    const failure = this.#leaveSession(call);
    const settled = call.over;
    if (!this.#isOver(call)) await this.#endLost(call, connection);
    if (this.#limits !== undefined) {
      return await this.#endGracefully(call, connection, this.#limits);
    }
    if (this.#interruption !== undefined) {
      await this.#waitAtMost(GRACE_MS, call.settled);
      throw this.#interruption;
    }
    if (call.thrown !== undefined) throw rootCause(call.thrown.error, this.#ending.signal);
    await this.#deliver(connection, readCloseLimits(undefined));
    return settled ? failure : this.#failureOf(call);
  }

  #context(connection: StreamConnection, endpoint: SocketAddress): LinkContext<SocketAddress> {
    const lastError = () => this.#lastError;
    return {
      ready: () => this.#ready(connection),
      signal: this.#ending.signal,
      attempt: this.#number,
      endpoint,
      // The session may keep this object.
      get lastError(): unknown {
        return lastError();
      },
    };
  }

  /** Returns true if the session has settled, or need not be waited for. */
  #isOver(call: SessionCall): boolean {
    return call.over || this.#interruption !== undefined;
  }

  readonly #ready = (connection: StreamConnection): void => {
    const late = this.#sessionOver || this.#interruption !== undefined || connection.lost;
    if (late || this.#readyAt !== undefined) return;
    this.#readyAt = performance.now();
    this.#stopHandshakeTimer();
    this.#observer.onReady(connection);
  };

  /** Ends the use of the connection, and returns the reason as far as it is known. */
  #leaveSession(call: SessionCall): AttemptFailure | undefined {
    this.#sessionOver = true;
    this.#stopHandshakeTimer();
    this.#stable = this.#readyAt !== undefined &&
      performance.now() - this.#readyAt >= this.#settings.stableAfter;
    const failure = this.#failureOf(call);
    this.#observer.onSessionOver(this.#stable, failure);
    return failure;
  }

  #failureOf(call: SessionCall): AttemptFailure | undefined {
    if (call.thrown !== undefined) return { error: call.thrown.error, thrown: true };
    if (call.over) {
      return this.#stable ? undefined : { error: this.#returnedEarly(), thrown: false };
    }
    const error = this.#interruption ?? this.#error("Closed", "the connection is lost");
    return { error, thrown: true };
  }

  /**
   * Waits for a session whose connection is lost. It may still receive what came before, and work on it: two sessions
   * at once would be worse than a late one. One that never returns must not keep the link for ever.
   */
  async #endLost(call: SessionCall, connection: StreamConnection): Promise<void> {
    const { handshakeTimeout } = this.#settings;
    const waitForIt = () =>
      this.#waitAtMost(handshakeTimeout, call.settled, this.#interrupted.promise);
    if (!connection.latest.closed) await waitForIt();
    if (this.#isOver(call)) return;
    this.#ending.abort(this.#error("Closed", "the connection is lost"));
    await waitForIt();
    if (this.#isOver(call)) return;
    const reason =
      `its connection is lost, and the session did not return in ${handshakeTimeout} ms`;
    this.interrupt(this.#error("Closed", reason));
    this.#hurried.resolve();
  }

  /** Lets the session end in its own time, delivers what it sent, and closes. */
  async #endGracefully(
    call: SessionCall,
    connection: StreamConnection,
    limits: CloseLimits,
  ): Promise<undefined> {
    const grace = Math.min(limits.linger, LONGEST_CLOSE_GRACE_MS);
    const begin = performance.now();
    // After one turn of the event loop, every call that has the signal has ended. A call that waits for the peer then
    // ends by the close alone.
    await this.#waitAtMost(0, call.settled);
    if (!connection.latest.receiving) await this.#waitAtMost(grace, call.settled);
    await this.#deliver(connection, limits).catch(() => {});
    await this.#waitAtMost(Math.max(0, begin + grace - performance.now()), call.settled);
  }

  /** Closes in order. Rejects if what was sent could not be delivered. */
  async #deliver(connection: StreamConnection, limits: CloseLimits): Promise<void> {
    try {
      await connection.latest.closeAfterHandler(limits);
    } catch (error) {
      this.#deliveryError = error;
      throw error;
    }
  }

  /** Waits for the first of some events, at most `ms` milliseconds; not at all if the attempt must end at once. */
  async #waitAtMost(ms: number, ...events: Promise<void>[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = startTimer(ms, resolve);
    await Promise.race([promise, this.#hurried.promise, ...events]);
    stop();
  }

  #returnedEarly(): SocketError {
    const { stableAfter } = this.#settings;
    return this.#error(
      "Closed",
      this.#readyAt === undefined
        ? "the session returned without calling ready()"
        : `the session returned within ${stableAfter} ms after ready()`,
    );
  }

  #error(kind: "TimedOut" | "Closed", reason: string): SocketError {
    return new SocketError(kind, OPERATION, reason, { address: this.#endpoint });
  }
}

/** One call of the caller's session. */
class SessionCall {
  /** Resolves when the session has settled. */
  readonly settled: Promise<void>;
  over = false;
  thrown: { readonly error: unknown } | undefined;

  constructor(
    session: LinkSettings["session"],
    connection: StreamConnection,
    context: LinkContext<SocketAddress>,
  ) {
    this.settled = this.#run(session, connection, context);
  }

  async #run(...[session, ...args]: ConstructorParameters<typeof SessionCall>): Promise<void> {
    try {
      const [connection, context] = args;
      await session(connection, context);
    } catch (error) {
      this.thrown = { error };
    }
    this.over = true;
  }
}

/** Returns the reason of the session's signal for an error that says only that the signal has aborted. */
function rootCause(error: unknown, signal: AbortSignal): unknown {
  const saysNoMore = signal.aborted && error instanceof SocketError &&
    error.cause === signal.reason;
  return saysNoMore ? signal.reason : error;
}

function checkConnection(connected: unknown): StreamConnection {
  if (StreamConnection.is(connected)) return connected;
  const reason = `connect gave ${describe(connected)}, not a Connection`;
  throw invalidInput(OPERATION, reason);
}
