import {
  close,
  connect,
  type Connection,
  framed,
  type FramedConnection,
  lengthPrefixed,
  lines,
  listen,
  recvInto,
  send,
  sendFrame,
  serve,
  type Server,
  SocketError,
} from "../../mod.ts";
import type { Random } from "../support/random.ts";
import type { Gate } from "./gate.ts";
import type { Ledger } from "./ledger.ts";

/** The largest frame that the echo server takes (bytes). */
export const FRAME_LIMIT = 64 * 1024;
export const codec = lengthPrefixed({ maxLength: FRAME_LIMIT });
/** Time after which a silent connection is ended (ms). On a busy machine, honest clients are slow as well. */
const FIRST_BYTE_TIMEOUT_MS = 1500;

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** The servers that loads use. */
export interface World {
  readonly gate: Gate;
  readonly ledger: Ledger;
  /** The server that echoes frames. */
  readonly echo: Server;
  /** The server that takes a PROXY header, then answers each line with the client's address and the line. */
  readonly proxied: Server;
  /** The server that reads slowly to the end, then answers with the number of bytes and their checksum. */
  readonly slow: Server;
}

/** A load works in rounds until the gate ends it. */
export type Load = (name: string, world: World, random: Random) => Promise<void>;

export async function startWorld(gate: Gate, ledger: Ledger): Promise<World> {
  const options = {
    firstByteTimeout: FIRST_BYTE_TIMEOUT_MS,
    idleTimeout: 60_000,
    onError: (error: unknown) => noteServerError(ledger, error),
  };
  const proxyProtocol = { trust: ["127.0.0.1"], timeout: FIRST_BYTE_TIMEOUT_MS };
  return {
    gate,
    ledger,
    echo: serve(await listen(LOOPBACK), echoFrames, options),
    proxied: serve(await listen(LOOPBACK), answerLines, { ...options, proxyProtocol }),
    slow: serve(await listen(LOOPBACK), readSlowly, options),
  };
}

/** The errors that hostile clients cause in a server. Any other error is a mistake of the server. */
const EXPECTED: ReadonlySet<string> = new Set([
  ...["InvalidData", "TooLarge", "UnexpectedEof", "ConnectionReset", "BrokenPipe", "TimedOut"],
  ...["Closed"],
]);

function noteServerError(ledger: Ledger, error: unknown): void {
  const kind = error instanceof SocketError ? error.kind : `${error}`;
  ledger.serverError(kind);
  if (!EXPECTED.has(kind)) ledger.fail(`a server had ${kind}: ${error}`);
}

async function echoFrames(connection: Connection): Promise<void> {
  const stream = framed(connection, codec);
  for await (const frame of stream) await sendFrame(stream, frame);
}

async function answerLines(connection: Connection): Promise<void> {
  const stream = framed(connection, lines());
  const { host, port } = connection.remoteAddress;
  for await (const line of stream) await sendFrame(stream, `${host} ${port} ${line}`);
}

async function readSlowly(connection: Connection): Promise<void> {
  const buffer = new Uint8Array(16 * 1024);
  let [count, sum, reads] = [0, 0, 0];
  for (;;) {
    const length = await recvInto(connection, buffer);
    if (length === null) break;
    sum = checksum(buffer.subarray(0, length), sum);
    count += length;
    if (++reads % 8 === 0) await pause(2);
  }
  const answer = new DataView(new ArrayBuffer(8));
  answer.setUint32(0, count);
  answer.setUint32(4, sum);
  await send(connection, new Uint8Array(answer.buffer));
}

/** Updates a checksum that depends on every byte and its position, but not on the pieces. */
export function checksum(bytes: Uint8Array, before: number): number {
  let sum = before;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return sum;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function dial(server: Server): Promise<Connection> {
  return connect(server.address, { timeout: 10_000, sendQueueLimit: 128 * 1024 });
}

export async function dialFramed(server: Server): Promise<FramedConnection<Uint8Array>> {
  return framed(await dial(server), codec);
}

/** Makes the numbered frame of a conversation, which differs from every other frame. */
export function numbered(number: number, random: Random): Uint8Array<ArrayBuffer> {
  const length = 8 + random.below(random.below(10) === 0 ? 20_000 : 200);
  const frame = new Uint8Array(length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, number);
  for (let at = 8; at < length; at++) frame[at] = (number * 31 + at * 7) & 255;
  view.setUint32(4, checksum(frame.subarray(8), number));
  return frame;
}

/** Closes a connection in any state, and ignores its errors. */
export async function hangUp(connection: Connection): Promise<void> {
  await close(connection, { linger: 200 }).catch(() => {});
}
