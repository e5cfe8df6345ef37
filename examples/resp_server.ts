/**
 * A server that redis-cli, redis-benchmark and other clients of Redis can talk to. It keeps strings in
 * memory and knows PING, ECHO, SET, GET, DEL, INCR and QUIT:
 *
 *     deno run --allow-net resp_server.ts --port 6379 [--host 127.0.0.1]
 *
 * Port 0 lets the system choose. SIGTERM or Ctrl-C ends it after all requests that were received are answered. In
 * your own program, import from "jsr:@aivi/sockets" instead.
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import {
  close,
  type Connection,
  formatAddress,
  framed,
  listen,
  send,
  serve,
  type ServeContext,
  SocketError,
} from "../mod.ts";
import { readListenAddress } from "./arguments.ts";
import { bytesOf, NIL, type Reply, replyText, type Request, requests } from "./resp_codec.ts";
import { waitInterrupt } from "./signals.ts";

/** Maximum bytes of replies that wait. Above it, the server reads no more requests until the client reads. */
const MOST_WAITING_BYTES = 256 * 1024;
const OK: Reply = { status: "OK" };
const PONG: Reply = { status: "PONG" };
/** Looks like `OK` to the client, and ends the connection here. */
const BYE: Reply = { status: "OK" };
const NO_INTEGER: Reply = { error: "ERR value is not an integer or out of range" };
const OVERFLOW: Reply = { error: "ERR increment or decrement would overflow" };

const store = new Map<string, string>();

/** Least and most arguments of a command, and its answer. The first word of a request is its name. */
type Command = readonly [fewest: number, most: number, answer: (request: Request) => Reply];

const commands: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["PING", [0, 1, (request) => request[1] ?? PONG]],
  ["ECHO", [1, 1, (request) => request[1]]],
  ["GET", [1, 1, (request) => store.get(request[1]) ?? NIL]],
  ["SET", [2, Infinity, set]],
  ["DEL", [1, Infinity, (request) => request.slice(1).filter((key) => store.delete(key)).length]],
  ["INCR", [1, 1, (request) => increment(request[1])]],
  ["QUIT", [0, Infinity, () => BYE]],
  // Clients send these before they begin.
  ["COMMAND", [0, Infinity, () => []]],
  ["CONFIG", [2, 2, (request) => [request[2], ""]]],
  ["HELLO", [0, Infinity, () => ({ error: "NOPROTO unsupported protocol version" })]],
]);

function set(request: Request): Reply {
  if (request.length > 3) return { error: "ERR syntax error" };
  store.set(request[1], request[2]);
  return OK;
}

function increment(key: string): Reply {
  const text = store.get(key) ?? "0";
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return NO_INTEGER;
  // JavaScript counts numbers of up to 15 digits exactly.
  const value = text.length < 16 ? Number(text) : BigInt(text);
  if (typeof value === "bigint" && BigInt.asIntN(64, value) !== value) return NO_INTEGER;
  if (value === 2n ** 63n - 1n) return OVERFLOW;
  const next = typeof value === "bigint" ? value + 1n : value + 1;
  store.set(key, `${next}`);
  return next;
}

function execute(request: Request): Reply {
  const name = request[0];
  const command = commands.get(name) ?? commands.get(name.toUpperCase());
  if (command === undefined) return { error: "ERR unknown command" };
  const count = request.length - 1;
  if (count >= command[0] && count <= command[1]) return command[2](request);
  return { error: `ERR wrong number of arguments for '${name.toLowerCase()}' command` };
}

/** Sends the replies of one connection. Replies to requests that came together leave together. */
class Replies {
  readonly #connection: Connection;
  #text = "";
  #scheduled = false;
  #sending: Promise<void> | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get waiting(): number {
    return this.#text.length;
  }

  add(reply: Reply): void {
    this.#text += replyText(reply);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // It runs after all requests of one read were answered.
    setImmediate(this.#onTurn);
  }

  /** Resolves after all replies were sent. It sends one batch at a time, so that no queue fills up. */
  flush(): Promise<void> {
    if (this.#sending === undefined && this.#text !== "") this.#sending = this.#send();
    return this.#sending ?? Promise.resolve();
  }

  async #send(): Promise<void> {
    try {
      while (this.#text !== "") {
        const bytes = bytesOf(this.#text);
        this.#text = "";
        await send(this.#connection, bytes);
      }
    } finally {
      this.#sending = undefined;
    }
  }

  readonly #onTurn = (): void => {
    this.#scheduled = false;
    // If the client is gone, the handler fails as well.
    this.flush().catch(() => {});
  };
}

async function answer(connection: Connection, { signal }: ServeContext): Promise<void> {
  const replies = new Replies(connection);
  const finish = () => void replies.flush().then(() => close(connection)).catch(() => {});
  signal.addEventListener("abort", finish);
  if (signal.aborted) finish();
  try {
    await answerAll(connection, replies);
    await replies.flush();
  } catch (error) {
    // Failures of one connection are its client's, but other errors are mistakes in this program.
    if (!(error instanceof SocketError)) throw error;
  } finally {
    signal.removeEventListener("abort", finish);
  }
}

/** Answers until the client ends its side, sends QUIT, or sends something that is no request. */
async function answerAll(connection: Connection, replies: Replies): Promise<void> {
  try {
    for await (const request of framed(connection, requests())) {
      const reply = execute(request);
      replies.add(reply);
      if (reply === BYE) return;
      if (replies.waiting > MOST_WAITING_BYTES) await replies.flush();
    }
  } catch (error) {
    const { kind, message } = error as SocketError;
    if (kind !== "InvalidData" && kind !== "TooLarge") throw error;
    replies.add({ error: `ERR Protocol error: ${message}` });
  }
}

const interrupted = waitInterrupt();
const server = serve(await listen(readListenAddress("6379")), answer);
console.log(`RESP on ${formatAddress(server.address)}, Ctrl-C ends it`);

await interrupted;
const { drained, aborted } = await server.shutdown({ timeout: 5000 });
console.log(`closed: ${drained} clients served to the end, ${aborted} not`);
process.exit(0);
