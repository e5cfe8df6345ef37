import {
  type Address,
  type CloseOptions,
  type Connection,
  connectionOver,
  type Endpoints,
  keepConnected,
  type KeepConnectedOptions,
  type Link,
  type LinkContext,
  SocketError,
  type Transport,
} from "../../mod.ts";
import { connectionReset } from "./runtime_errors.ts";
import { Arrivals } from "./serving.ts";
import { turns } from "./turns.ts";
import { type VirtualTime, virtualTime } from "./virtual_time.ts";

export const ENDPOINT: Address = { host: "192.0.2.1", port: 7777 };

/** The far end of a connection of a link, which the test controls. It takes all that is sent. */
export class ScriptedPeer implements Transport {
  readonly remoteAddr: Deno.NetAddr;
  /** The bytes that came, as text. */
  received = "";
  closed = false;
  /** True if it ends its side when the link has ended its own, as most servers do. */
  answersEnd = true;
  #failure: Error | undefined;
  #read = Promise.withResolvers<number | null>();

  constructor({ host, port }: Address) {
    this.remoteAddr = { transport: "tcp", hostname: host, port };
  }

  read(_buffer: Uint8Array): Promise<number | null> {
    return this.#read.promise;
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.received += new TextDecoder().decode(bytes);
    return Promise.resolve(bytes.length);
  }

  closeWrite(): Promise<void> {
    if (this.answersEnd) this.end();
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.#read.promise.catch(() => {});
    this.#read.reject(new Deno.errors.Interrupted("operation canceled"));
  }

  /** Ends the peer's side in order. */
  end(): void {
    this.#read.resolve(null);
  }

  reset(): void {
    this.#failure = connectionReset();
    this.#read.promise.catch(() => {});
    this.#read.reject(this.#failure);
  }
}

/** An attempt to connect, which the test answers. */
export interface ConnectCall {
  readonly endpoint: Address;
  readonly signal: AbortSignal;
  /** Lets it succeed. */
  accept(): ScriptedPeer;
  fail(error: unknown): void;
  /** Answers with any value. */
  answer(value: unknown): void;
}

/** A running session, which the test ends. */
export interface SessionCall {
  readonly connection: Connection;
  readonly context: LinkContext;
  end(): void;
  fail(error: unknown): void;
}

/** A link in virtual time, with connections and sessions that the test controls. */
export interface ScriptedLink extends AsyncDisposable {
  readonly link: Link;
  readonly time: VirtualTime;
  /** The states in order, as `onChange` got them. */
  readonly states: Link["state"][];
  /** Every attempt to connect so far. */
  readonly connects: readonly ConnectCall[];
  /** Every session so far. */
  readonly sessions: readonly SessionCall[];
  /** The end of `finished`: undefined, "resolved", or the error in a list. */
  readonly finished: () => undefined | "resolved" | [unknown];
  /** Closes the link, and lets `ms` pass for that. */
  close(options?: CloseOptions, ms?: number): Promise<void>;
  nextConnect(): Promise<ConnectCall>;
  nextSession(): Promise<SessionCall>;
  /** Answers the next attempt, waits for its session, and makes it ready. */
  nextReady(): Promise<SessionCall & { readonly peer: ScriptedPeer }>;
}

export function refused(endpoint = ENDPOINT): SocketError {
  return new SocketError("ConnectionRefused", "connect", "connection refused", {
    address: endpoint,
    code: "ECONNREFUSED",
  });
}

export function scriptedLink(
  options: KeepConnectedOptions = {},
  endpoints: Endpoints = ENDPOINT,
  settle?: () => Promise<void>,
): ScriptedLink {
  const time = virtualTime(settle);
  const connects: ConnectCall[] = [];
  const sessions: SessionCall[] = [];
  const newConnects = new Arrivals<ConnectCall>();
  const newSessions = new Arrivals<SessionCall>();
  const states: Link["state"][] = [];
  let finished: undefined | "resolved" | [unknown];

  const link = keepConnected(endpoints, (connection, context) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const call = { connection, context, end: resolve, fail: reject };
    sessions.push(call);
    newSessions.push(call);
    return promise;
  }, {
    connect(endpoint, { signal }) {
      const { promise, resolve, reject } = Promise.withResolvers<Connection>();
      const call: ConnectCall = {
        endpoint,
        signal,
        accept() {
          const peer = new ScriptedPeer(endpoint);
          resolve(connectionOver(peer));
          return peer;
        },
        fail: reject,
        answer: (value) => resolve(value as Connection),
      };
      connects.push(call);
      newConnects.push(call);
      return promise;
    },
    ...options,
    onChange(state) {
      states.push(state);
      return options.onChange?.(state);
    },
  });
  link.finished.then(() => finished = "resolved", (error) => finished = [error]);

  return {
    link,
    time,
    states,
    connects,
    sessions,
    finished: () => finished,
    async close(options, ms = 0) {
      const closing = link.close(options);
      closing.catch(() => {});
      await time.pass(ms);
      await closing;
    },
    nextConnect: () => newConnects.next(),
    nextSession: () => newSessions.next(),
    async nextReady() {
      const peer = (await newConnects.next()).accept();
      const session = await newSessions.next();
      session.context.ready();
      await turns();
      return { ...session, peer };
    },
    async [Symbol.asyncDispose](): Promise<void> {
      try {
        const closing = link.close({ linger: 0, signal: AbortSignal.abort() }).catch(() => {});
        for (const session of sessions) session.end();
        await time.pass(0);
        await closing;
        if (time.running > 0) throw new Error(`${time.running} timers are left`);
      } finally {
        time[Symbol.dispose]();
      }
    },
  };
}

/** Replaces `Math.random` by a value until it is disposed. */
export function fixedRandom(value: number): Disposable {
  const { random } = Math;
  Math.random = () => value;
  return { [Symbol.dispose]: () => void (Math.random = random) };
}
