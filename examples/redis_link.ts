/**
 * Sends a command to a Redis server for each line of its input, over a connection that is made again whenever it breaks:
 *
 *     seq 10000 | deno run --allow-net redis_link.ts 127.0.0.1:6379 RPUSH numbers
 *
 * The line is the last word of its command. A command that was not sent is sent again. One of which only the server
 * knows if it was done is printed, and left to you: `RPUSH` again may push twice, `SET` again does no harm. Options are
 * `--user` and `--password`. In your own program, import from "jsr:@aivi/sockets" instead.
 *
 * A reply says that the server has done the command. If that must survive the end of the server or its machine, give
 * the server `appendonly yes` and `appendfsync always`: it then writes to the disk before it replies.
 */
import {
  type Connection,
  connectionOver,
  type Endpoints,
  framed,
  heartbeat,
  keepConnected,
  type KeepConnectedOptions,
  lines,
  type Link,
  type LinkContext,
  type OperationOptions,
  recvFrame,
  recvFrames,
  sendFrame,
  SocketError,
} from "../mod.ts";
import { exitWithProblem, readAddress, readCommand } from "./arguments.ts";
import { PendingCalls, Unanswered } from "./pending_calls.ts";
import {
  fromUtf8,
  replies,
  type Reply,
  type Request,
  requests,
  type RespLimits,
  toUtf8,
} from "./resp_codec.ts";

/** A wrong login does not get better by itself. A server that loads its data, or is full, does. */
const FINAL = /^(WRONGPASS|NOAUTH|NOPERM|ERR) (?!max number of clients)/;
const PING_INTERVAL_MS = 20_000;

/** The server has said no to the login or to the first PING. */
export class RedisRefusal extends Error {
  override readonly name = "RedisRefusal";
}

export interface RedisOptions {
  readonly user?: string;
  readonly password?: string;
  /** Milliseconds of silence before the server is pinged, and again until it is given up. Default: 20,000. */
  readonly pingInterval?: number;
  /** Limits of a request and of a reply. A longer reply ends the connection. */
  readonly limits?: RespLimits;
  /** Options of the link, such as `backoff` and `onChange`. */
  readonly link?: Omit<KeepConnectedOptions, "retry">;
}

type Send = (request: Request) => Promise<Reply>;

/** Sends commands, many at once. Each connection of it begins with the login. */
export class RedisLink implements AsyncDisposable {
  /** The link: its `state`, and `finished` for the end. */
  readonly link: Link;
  readonly #options: RedisOptions;
  readonly #senders = new WeakMap<Connection, Send>();

  constructor(servers: Endpoints, options: RedisOptions = {}) {
    this.#options = options;
    this.link = keepConnected(servers, (connection, context) => this.#run(connection, context), {
      ...options.link,
      retry: (error, byDefault) =>
        error instanceof RedisRefusal
          ? !FINAL.test(error.message)
          : error instanceof SocketError && byDefault,
    });
  }

  /**
   * Sends a command of byte strings, and resolves to its reply, which may be an error. It waits for a connection, with
   * the `timeout` or `signal` of the options, and never sends twice. Rejects with `SocketError` if nothing was sent, and
   * with `Unanswered` if only the server knows. After the end it rejects with the reason, such as a `RedisRefusal`.
   */
  async command(request: Request, options?: OperationOptions): Promise<Reply> {
    const send = this.#senders.get(await this.link.up(options))!;
    return await send(request);
  }

  /** Closes the connection, and makes no other. Commands without a reply reject. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.link.close();
  }

  async #run(connection: Connection, { ready, signal }: LinkContext): Promise<void> {
    const { pingInterval = PING_INTERVAL_MS, limits } = this.#options;
    const sent = framed(connection, requests(limits));
    const received = framed(connection, replies(limits));
    const calls = new PendingCalls<Reply>();
    const send: Send = (request) => calls.call(() => sendFrame(sent, request));
    this.#senders.set(connection, send);
    const next = async () => {
      const reply = await recvFrame(received, { signal });
      if (reply !== null) return calls.answer(reply);
      const reason = "the server has ended the connection";
      throw new SocketError("UnexpectedEof", "recvFrame", reason);
    };
    try {
      for (const request of this.#login()) {
        const reply = send(request);
        reply.catch(() => {});
        await next();
        checkAccepted(await reply);
      }
      using _heart = heartbeat(connection, {
        interval: pingInterval,
        timeout: pingInterval,
        ping: async () => void await send(["PING"]),
      });
      ready();
      for (;;) await next();
    } catch (error) {
      calls.end(error);
      throw error;
    }
  }

  /** The reply to PING is an error as long as the server loads its data. */
  #login(): Request[] {
    const { user, password } = this.#options;
    if (password === undefined) return [["PING"]];
    const words = user === undefined ? [password] : [user, password];
    return [["AUTH", ...words.map(fromUtf8)], ["PING"]];
  }
}

function checkAccepted(reply: Reply): void {
  if (typeof reply !== "object" || !("error" in reply)) return;
  throw new RedisRefusal(reply.error);
}

/** Sends a command until it has left once, and says how that ended. */
async function report(redis: RedisLink, words: readonly string[]): Promise<string> {
  for (;;) {
    try {
      const reply = await redis.command(words.map(fromUtf8));
      const failed = typeof reply === "object" && "error" in reply;
      return failed ? `failed: ${toUtf8(reply.error)}` : "done";
    } catch (error) {
      if (error instanceof Unanswered) return "not known";
      const again = error instanceof SocketError && error.retryable;
      if (!again || redis.link.state === "ended") throw error;
    }
  }
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const { values, positionals: [servers, ...words] } = readCommand({ user: text, password: text });
  if (words.length === 0) exitWithProblem("the arguments are HOST:PORT,… and the command's words");
  const onChange = (state: Link["state"]) => console.error(state);
  const endpoints = servers.split(",").map(readAddress);
  await using redis = new RedisLink(endpoints, { ...values, link: { onChange } });
  const input = connectionOver({
    read: (buffer) => Deno.stdin.read(buffer),
    write: (bytes) => Promise.resolve(bytes.length),
    close: () => {},
  });
  const texts = framed(input, lines());
  for (let batch; (batch = await recvFrames(texts)) !== null;) {
    const reports = await Promise.all(batch.map((line) => report(redis, [...words, line])));
    for (const [index, line] of batch.entries()) console.log(`${line}: ${reports[index]}`);
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
