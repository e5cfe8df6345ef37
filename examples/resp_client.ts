/**
 * Sends commands to a Redis server, or to resp_server.ts, and prints the replies:
 *
 *     deno run --allow-net resp_client.ts 127.0.0.1:6379 SET greeting "hello world"
 *     printf 'INCR a\nINCR a\n' | deno run --allow-net resp_client.ts 127.0.0.1:6379
 *
 * Without a command it takes commands from its input, words on a line, and sends each without waiting for the
 * reply to the one before. In your own program, import from "jsr:@aivi/sockets" instead.
 */
import {
  type Address,
  close,
  connect,
  type Connection,
  connectionOver,
  framed,
  type FramedConnection,
  lines,
  parseAddress,
  sendFrame,
  SocketError,
} from "../mod.ts";
import {
  fromUtf8,
  NIL,
  replies,
  type Reply,
  type Request,
  requests,
  type RespLimits,
  toUtf8,
} from "./resp_codec.ts";

/** Maximum number of commands of the input without a reply. */
const MOST_IN_FLIGHT = 1000;

/** Sends commands, one after the other or many at once. */
export class RespClient implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #requests: FramedConnection<Request>;
  /** Calls without a reply, in the order of their requests, which is the order of the replies. */
  readonly #waiting = new Set<PromiseWithResolvers<Reply>>();

  private constructor(connection: Connection, limits: RespLimits) {
    this.#connection = connection;
    this.#requests = framed(connection, requests(limits));
    void this.#receive(framed(connection, replies(limits)));
  }

  static async connect(address: Address, limits: RespLimits = {}): Promise<RespClient> {
    return new RespClient(await connect(address, { timeout: 5000 }), limits);
  }

  /** Sends a command of byte strings. Resolves to its reply, which may be an error. */
  command(...words: string[]): Promise<Reply> {
    const call = Promise.withResolvers<Reply>();
    this.#waiting.add(call);
    sendFrame(this.#requests, words).catch((error) => {
      // No reply will come: nothing was sent, or the connection is lost.
      this.#waiting.delete(call);
      call.reject(error);
    });
    return call.promise;
  }

  /** Closes the connection. Calls without a reply reject. */
  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#connection);
  }

  async #receive(received: FramedConnection<Reply>): Promise<void> {
    let why: unknown;
    try {
      for await (const reply of received) {
        const [call] = this.#waiting;
        if (call === undefined) {
          throw new SocketError("InvalidData", "recvFrame", "a reply came without a request");
        }
        this.#waiting.delete(call);
        call.resolve(reply);
      }
      why = new SocketError("UnexpectedEof", "recvFrame", "the server has ended the connection");
    } catch (error) {
      why = error;
    }
    // Not abort: if this side has closed, requests may still be leaving.
    close(this.#connection, { linger: 0 }).catch(() => {});
    for (const call of this.#waiting) call.reject(why);
    this.#waiting.clear();
  }
}

/** Formats a reply as redis-cli does. */
function show(reply: Reply, indent = ""): string {
  if (reply === NIL) return "(nil)";
  if (typeof reply === "string") return JSON.stringify(toUtf8(reply));
  if (typeof reply === "number" || typeof reply === "bigint") return `(integer) ${reply}`;
  if ("status" in reply) return reply.status;
  if ("error" in reply) return `(error) ${reply.error}`;
  if (reply.length === 0) return "(empty array)";
  const parts = reply.map((part, index) => `${index + 1}) ${show(part, `${indent}   `)}`);
  return parts.join(`\n${indent}`);
}

async function main([target, ...words]: readonly string[]): Promise<void> {
  await using client = await RespClient.connect(parseAddress(target ?? "127.0.0.1:6379"));
  if (words.length > 0) return console.log(show(await client.command(...words.map(fromUtf8))));
  const input = connectionOver({
    read: (buffer) => Deno.stdin.read(buffer),
    write: (bytes) => Deno.stdout.write(bytes),
    close: () => {},
  });
  const inFlight: Promise<Reply>[] = [];
  for await (const line of framed(input, lines())) {
    const words = line.split(" ").filter((word) => word !== "");
    if (words.length === 0) continue;
    const reply = client.command(...words.map(fromUtf8));
    // The await that prints it reports a failure.
    reply.catch(() => {});
    inFlight.push(reply);
    if (inFlight.length >= MOST_IN_FLIGHT) console.log(show(await inFlight.shift()!));
  }
  for (const reply of inFlight) console.log(show(await reply));
}

if (import.meta.main) await main(Deno.args);
