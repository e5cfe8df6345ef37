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
import {
  type Connection,
  formatAddress,
  framed,
  listen,
  recvFrames,
  send,
  serve,
  type ServeContext,
  SocketError,
} from "../mod.ts";
import { readListenAddress } from "./arguments.ts";
import { closeWhenQuiet, type Wait } from "./draining.ts";
import { bytesOf, NIL, replyText, type Request, requests } from "./resp_codec.ts";
import { waitInterrupt } from "./signals.ts";

/** Replies of this size are sent before their batch is done: 600 requests in 4 KiB may ask for 600 MB. */
const MOST_WAITING_BYTES = 256 * 1024;
/** A server that ends closes a client that has sent no whole request for this time (ms). */
const QUIET_MS = 100;
/** The first integer with more than 64 bits. */
const BEYOND = 2n ** 63n;
const OK = replyText({ status: "OK" });
const PONG = replyText({ status: "PONG" });
const NONE = replyText(NIL);

/** INCR keeps integers, so that the next one need not parse them. */
const store = new Map<string, string | number | bigint>();

/** Returns the reply to a request, or `undefined` to QUIT. */
function answer(request: Request): string | undefined {
  const count = request.length - 1;
  switch (request[0]) {
    case "GET":
      if (count === 1) return get(request[1]);
      break;
    case "SET":
      if (count === 2) return set(request[1], request[2]);
      if (count > 2) return failure("ERR syntax error");
      break;
    case "INCR":
      if (count === 1) return increment(request[1]);
      break;
    case "PING":
      if (count === 0) return PONG;
      if (count === 1) return replyText(request[1]);
      break;
    case "ECHO":
      if (count === 1) return replyText(request[1]);
      break;
    case "DEL":
      if (count > 0) return replyText(request.slice(1).filter((key) => store.delete(key)).length);
      break;
    case "QUIT":
      return undefined;
    // Clients send these before they begin.
    case "COMMAND":
      return replyText([]);
    case "CONFIG":
      if (count === 2) return replyText([request[2], ""]);
      break;
    case "HELLO":
      return failure("NOPROTO unsupported protocol version");
    default: {
      const name = request[0].toUpperCase();
      if (name === request[0]) return failure("ERR unknown command");
      return answer([name, ...request.slice(1)]);
    }
  }
  return failure(`ERR wrong number of arguments for '${request[0].toLowerCase()}' command`);
}

function get(key: string): string {
  const value = store.get(key);
  return value === undefined ? NONE : replyText(`${value}`);
}

function set(key: string, value: string): string {
  store.set(key, value);
  return OK;
}

function increment(key: string): string {
  const stored = store.get(key) ?? 0;
  const value = typeof stored === "string" ? parseInteger(stored) : stored;
  if (value === undefined) return failure("ERR value is not an integer or out of range");
  const next = typeof value === "number" ? value + 1 : value + 1n;
  if (next === BEYOND) return failure("ERR increment or decrement would overflow");
  store.set(key, next);
  return replyText(next);
}

/** Reads an integer of 64 bits. It is a bigint from 16 digits on; a smaller number can be counted up 10^15 times. */
function parseInteger(text: string): number | bigint | undefined {
  if (!/^(?:0|-?[1-9]\d{0,18})$/.test(text)) return undefined;
  if (text.length < 16) return Number(text);
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

function failure(error: string): string {
  return replyText({ error });
}

/** Answers until the client ends its side, sends QUIT, or sends something that is no request. */
async function answerAll(connection: Connection, wait: Wait): Promise<void> {
  const received = framed(connection, requests());
  try {
    for (let goesOn = true; goesOn;) {
      wait.since = Date.now();
      const batch = await recvFrames(received);
      wait.since = Infinity;
      if (batch === null) return;
      let replies = "";
      for (const request of batch) {
        const reply = answer(request);
        replies += reply ?? OK;
        goesOn = reply !== undefined;
        if (!goesOn) break;
        if (replies.length < MOST_WAITING_BYTES) continue;
        await send(connection, bytesOf(replies));
        replies = "";
      }
      await send(connection, bytesOf(replies));
    }
  } catch (error) {
    const { kind, message } = error as SocketError;
    if (kind !== "InvalidData" && kind !== "TooLarge") throw error;
    // `recvFrames` has given the requests before it, and they are answered.
    await send(connection, bytesOf(failure(`ERR Protocol error: ${message}`)));
  }
}

async function handle(connection: Connection, { signal }: ServeContext): Promise<void> {
  const wait = { since: Infinity };
  const stopWatching = closeWhenQuiet(connection, signal, QUIET_MS, wait);
  try {
    await answerAll(connection, wait);
  } catch (error) {
    // Failures of one connection are its client's, but other errors are mistakes in this program.
    if (!(error instanceof SocketError)) throw error;
  } finally {
    stopWatching();
  }
}

const interrupted = waitInterrupt();
const server = serve(await listen(readListenAddress("6379")), handle);
console.log(`RESP on ${formatAddress(server.address)}, Ctrl-C ends it`);

await interrupted;
const { drained, aborted } = await server.shutdown({ timeout: 5000 });
console.log(`closed: ${drained} clients served to the end, ${aborted} not`);
process.exit(0);
