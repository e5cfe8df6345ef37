/**
 * Publishes to a NATS server, or prints what others publish, over a connection that is made again whenever it breaks:
 *
 *     deno run --allow-net nats_client.ts 127.0.0.1:4222 publish room.1 21.5
 *     seq 10000 | deno run --allow-net nats_client.ts 127.0.0.1:4222,127.0.0.1:4223 publish room.1
 *     deno run --allow-net nats_client.ts 127.0.0.1:4222 subscribe "room.*"
 *
 * Without a message, `publish` sends each line of its input. `subscribe` ends with SIGTERM or Ctrl-C. Both take
 * `--user` and `--password`, or `--token`. In your own program, import from "jsr:@aivi/sockets" instead.
 *
 * A publish resolves after the server's PONG to a PING behind it: the server has put the message on its way to all who
 * are subscribed. Core NATS keeps nothing for a subscriber who is away, and a server that is killed takes with it what
 * it has not sent. If a message must arrive, give it a `reply` subject, and publish it until the receiver answers there.
 */
import {
  type Connection,
  connectionOver,
  type Endpoints,
  framed,
  type FramedConnection,
  frameTooLarge,
  heartbeat,
  invalidFrame,
  keepConnected,
  type KeepConnectedOptions,
  lines,
  type Link,
  type LinkContext,
  type OperationOptions,
  recvFrame,
  recvFrames,
  sendFrame,
  sendFrames,
  SocketError,
} from "../mod.ts";
import { exitWithProblem, readAddress, readCommand } from "./arguments.ts";
import { type FromServer, type NatsMessage, natsMessages, type ToServer } from "./nats_codec.ts";
import { PendingCalls, Unanswered } from "./pending_calls.ts";
import { onInterrupt } from "./signals.ts";

/** A wrong login does not get better by itself. A server that is full, or shuts down, does. */
const FINAL = /^(Authorization|User Authentication|Account Authentication|Permissions) /i;
const PING_INTERVAL_MS = 20_000;
const encoder = new TextEncoder();

/** The server has said no: to the login, to a subject, or to this connection. */
export class NatsRefusal extends Error {
  override readonly name = "NatsRefusal";
}

export interface NatsOptions {
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** Maximum length of a payload (bytes). A longer one that comes ends the connection. Default: 1 MiB, as the server's. */
  readonly maxLength?: number;
  /** Milliseconds of silence before the server is pinged, and again until it is given up. Default: 20,000. */
  readonly pingInterval?: number;
  /** Options of the link, such as `backoff` and `onChange`. */
  readonly link?: Omit<KeepConnectedOptions, "retry">;
}

interface Subscription {
  readonly subject: string;
  readonly queue?: string;
  readonly onMessage: (message: NatsMessage) => void;
}

/** The state that belongs to one connection, and goes with it. */
interface Session {
  readonly stream: FramedConnection<ToServer, FromServer>;
  /** One call for each PING. */
  readonly pings: PendingCalls<void>;
  /** An error that the server has sent since its last PONG. */
  refusal?: NatsRefusal;
  /** Longest payload that the server takes (bytes). */
  maxPayload: number;
}

/**
 * Publishes and subscribes. Calls wait for a connection, with the `timeout` or `signal` of their options, and
 * subscriptions are renewed on each new one; messages of the time between are missed.
 *
 * Calls reject with `SocketError` if nothing was sent, with `Unanswered` if only the server knows, and with
 * `NatsRefusal`. After the client has ended they reject with the reason, such as the `NatsRefusal` of its login.
 */
export class NatsClient implements AsyncDisposable {
  /** The link: its `state`, and `finished` for the end. */
  readonly link: Link;
  readonly #options: NatsOptions;
  readonly #sessions = new WeakMap<Connection, Session>();
  readonly #subscriptions = new Map<number, Subscription>();
  #lastSid = 0;

  constructor(servers: Endpoints, options: NatsOptions = {}) {
    this.#options = options;
    this.link = keepConnected(servers, (connection, context) => this.#run(connection, context), {
      ...options.link,
      retry: (error, byDefault) =>
        error instanceof NatsRefusal
          ? !FINAL.test(error.message)
          : error instanceof SocketError && byDefault,
    });
  }

  /** Publishes a message. Resolves after the server has put it on its way to all who are subscribed. */
  async publish(
    subject: string,
    payload: Uint8Array | string,
    { reply, ...options }: OperationOptions & { readonly reply?: string } = {},
  ): Promise<void> {
    const session = await this.#session(options);
    const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
    // The server would end the connection.
    const { maxPayload } = session;
    if (bytes.length > maxPayload) throw frameTooLarge(bytes.length, maxPayload, "sendFrame");
    await ping(session, { type: "PUB", subject, reply, payload: bytes });
  }

  /**
   * Subscribes to a subject, where `*` stands for a part and `>` for the rest. Of several with one `queue`, one gets each
   * message. Resolves after the server has it, to a function that ends it.
   *
   * @param onMessage Handles a message at once. Nobody waits for what it starts, and an error of it ends the client.
   */
  async subscribe(
    subject: string,
    onMessage: (message: NatsMessage) => void,
    { queue, ...options }: OperationOptions & { readonly queue?: string } = {},
  ): Promise<() => Promise<void>> {
    const session = await this.#session(options);
    const sid = ++this.#lastSid;
    // From here on a new connection renews it.
    this.#subscriptions.set(sid, { subject, queue, onMessage });
    try {
      await ping(session, { type: "SUB", subject, queue, sid });
    } catch (error) {
      this.#subscriptions.delete(sid);
      throw error;
    }
    return async () => {
      // Without a connection, no server has it any more.
      if (!this.#subscriptions.delete(sid) || this.link.state !== "ready") return;
      await ping(await this.#session(), { type: "UNSUB", sid });
    };
  }

  /** Resolves after all messages that the server had for this client have come, over one connection. */
  async flush(options?: OperationOptions): Promise<void> {
    await ping(await this.#session(options));
  }

  /** Closes the connection, and makes no other. Calls that wait reject. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.link.close();
  }

  async #session(options?: OperationOptions): Promise<Session> {
    return this.#sessions.get(await this.link.up(options))!;
  }

  async #run(connection: Connection, { ready, signal }: LinkContext): Promise<void> {
    const { maxLength = 2 ** 20, pingInterval = PING_INTERVAL_MS } = this.#options;
    const session: Session = {
      stream: framed(connection, natsMessages(maxLength)),
      pings: new PendingCalls(),
      maxPayload: maxLength,
    };
    this.#sessions.set(connection, session);
    let accepted = false;
    const next = async () => {
      const message = await recvFrame(session.stream, { signal });
      if (message !== null) return this.#take(session, message);
      const reason = "the server has ended the connection";
      throw new SocketError("UnexpectedEof", "recvFrame", reason, { cause: session.refusal });
    };
    try {
      if (await next() !== "INFO") throw invalidFrame("the server does not begin with INFO");
      const renewals = Array.from(
        this.#subscriptions,
        ([sid, { subject, queue }]) => ({ type: "SUB", subject, queue, sid }) as const,
      );
      const login = ping(session, { type: "CONNECT", options: this.#login() }, ...renewals);
      login.catch(() => {});
      while (await next() !== "PONG");
      await login;
      accepted = true;
      using _heart = heartbeat(connection, {
        interval: pingInterval,
        timeout: pingInterval,
        ping: () => ping(session),
      });
      ready();
      for (;;) await next();
    } catch (error) {
      const why = accepted ? error : session.refusal ?? error;
      session.pings.end(why);
      throw why;
    }
  }

  #login(): Readonly<Record<string, unknown>> {
    const { user, password: pass, token: auth_token } = this.#options;
    const facts = { verbose: false, pedantic: false, lang: "deno", version: "1", protocol: 1 };
    return { ...facts, user, pass, auth_token };
  }

  /** Handles a message of the server, and returns its type. */
  #take(session: Session, message: FromServer): FromServer["type"] {
    const { pings, refusal, stream } = session;
    const answer = (frame: ToServer) => {
      // If it fails, receiving fails as well.
      sendFrame(stream, frame).catch(() => {});
    };
    if (message.type === "MSG") {
      const subscription = this.#subscriptions.get(message.sid);
      if (subscription !== undefined) subscription.onMessage(message);
      else answer({ type: "UNSUB", sid: message.sid });
    } else if (message.type === "PING") {
      answer({ type: "PONG" });
    } else if (message.type === "PONG") {
      session.refusal = undefined;
      if (refusal === undefined) pings.answer();
      else pings.refuse(refusal);
    } else if (message.type === "-ERR") {
      session.refusal = new NatsRefusal(message.reason);
    } else if (message.type === "INFO") {
      const { max_payload: most, tls_required: tls } = message.info;
      if (tls === true) throw new SocketError("Unsupported", "recvFrame", "the server wants TLS");
      if (typeof most === "number") session.maxPayload = Math.min(session.maxPayload, most);
    }
    return message.type;
  }
}

/** Sends messages and a PING. Resolves after the PONG; the server has done all that was before it. */
function ping({ pings, stream }: Session, ...messages: ToServer[]): Promise<void> {
  return pings.call(() => sendFrames(stream, [...messages, { type: "PING" }]));
}

/** Publishes a message until it is certain that it has left. It may then have left twice. */
async function publishSurely(client: NatsClient, subject: string, payload: string): Promise<void> {
  for (;;) {
    try {
      return await client.publish(subject, payload);
    } catch (error) {
      const again = error instanceof Unanswered || error instanceof SocketError && error.retryable;
      if (!again || client.link.state === "ended") throw error;
    }
  }
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const { values, positionals } = readCommand({ user: text, password: text, token: text });
  const [servers, action, subject, message] = positionals;
  if (subject === undefined || !/^(?:publish|subscribe)$/.test(action)) {
    exitWithProblem("the arguments are HOST:PORT,…, publish or subscribe, and a subject");
  }
  const onChange = (state: Link["state"]) => console.error(state);
  const endpoints = servers.split(",").map(readAddress);
  await using client = new NatsClient(endpoints, { ...values, link: { onChange } });
  if (action === "subscribe") {
    onInterrupt(() => void client.link.close());
    await client.subscribe(subject, ({ subject, payload }) => {
      console.log(`${subject} ${new TextDecoder().decode(payload)}`);
    });
    return await client.link.finished;
  }
  if (message !== undefined) return await publishSurely(client, subject, message);
  const input = connectionOver({
    read: (buffer) => Deno.stdin.read(buffer),
    write: (bytes) => Promise.resolve(bytes.length),
    close: () => {},
  });
  const texts = framed(input, lines());
  for (let batch; (batch = await recvFrames(texts)) !== null;) {
    await Promise.all(batch.map((text) => publishSurely(client, subject, text)));
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}
