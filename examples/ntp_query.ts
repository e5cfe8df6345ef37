/**
 * Asks a time server how far this machine's clock is off (SNTP, RFC 5905, section 14), and asks again when a datagram
 * is lost. It changes nothing:
 *
 *     deno run --allow-net ntp_query.ts pool.ntp.org [--port 123]
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { type Address, bindUdp, formatAddress, recvFrom, sendTo, SocketError } from "../mod.ts";
import { exitWithError, exitWithProblem, parsePort, readCommand } from "./arguments.ts";

const PACKET_BYTES = 48;
const ATTEMPTS = 3;
const ANSWER_TIMEOUT_MS = 1000;
/** Leap second unknown (0), version 4, from a client (3). */
const CLIENT_REQUEST = 0b00_100_011;
const MODE_SERVER = 4;
/** A server with this leap indicator has no time itself. */
const UNSYNCHRONIZED = 3;
/** Seconds from 1900, where the timestamps begin, to 1970. */
const EPOCH_OFFSET_SECONDS = 2_208_988_800;
/** The era ends in 2036: a timestamp of 32 bits is read as the time next to this machine's (RFC 4330, section 3). */
const ERA_SECONDS = 2 ** 32;

const ORIGIN = 24;
const RECEIVED = 32;
const TRANSMITTED = 40;

interface Answer {
  /** Seconds that the server is ahead of this machine. */
  readonly offset: number;
  /** Seconds on the way, there and back. */
  readonly delay: number;
  readonly stratum: number;
}

/** Returns this machine's time in seconds since 1970, with fractions. */
function now(): number {
  return (performance.timeOrigin + performance.now()) / 1000;
}

/** Reads a timestamp: 32 bits of seconds and 32 bits of a fraction. */
function readTime(view: DataView, offset: number, near: number): number {
  const seconds = view.getUint32(offset) - EPOCH_OFFSET_SECONDS;
  const eras = Math.round((near - seconds) / ERA_SECONDS);
  return seconds + eras * ERA_SECONDS + view.getUint32(offset + 4) / 2 ** 32;
}

/** Reads an answer. It gives nothing for a datagram that is none, and throws for a server without time. */
function readAnswer(bytes: Uint8Array, cookie: Uint8Array, sent: number): Answer | undefined {
  const received = now();
  if (bytes.length < PACKET_BYTES || (bytes[0] & 7) !== MODE_SERVER) return undefined;
  // A forger has to guess the number that the server sends back.
  if (!cookie.every((byte, at) => byte === bytes[ORIGIN + at])) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stratum = bytes[1];
  const code = new TextDecoder().decode(bytes.subarray(12, 16)).replaceAll(/[^A-Z]/g, "");
  // At this level of its own, a server says with four letters why it does not answer.
  if (stratum === 0 && code !== "") throw new Error(`the server refuses: ${code}`);
  if (bytes[0] >> 6 === UNSYNCHRONIZED || stratum === 0 || stratum > 15) {
    throw new Error("the server has no time itself");
  }
  const arrived = readTime(view, RECEIVED, received);
  const left = readTime(view, TRANSMITTED, received);
  return {
    offset: ((arrived - sent) + (left - received)) / 2,
    delay: (received - sent) - (left - arrived),
    stratum,
  };
}

/** Asks a server, several times if no answer comes. */
async function query(server: Address): Promise<Answer | undefined> {
  await using socket = await bindUdp({
    host: server.host.includes(":") ? "::" : "0.0.0.0",
    port: 0,
  });
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    // A random number takes the place of the time, which is nobody's business. It comes back as the origin.
    const cookie = crypto.getRandomValues(new Uint8Array(8));
    const request = new Uint8Array(PACKET_BYTES);
    request[0] = CLIENT_REQUEST;
    request.set(cookie, TRANSMITTED);
    const sent = now();
    await sendTo(socket, server, request);
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    try {
      for (;;) {
        const answer = readAnswer((await recvFrom(socket, { signal })).bytes, cookie, sent);
        if (answer !== undefined) return answer;
      }
    } catch (error) {
      if (!(error instanceof SocketError) || error.kind !== "Aborted") throw error;
      console.error(`no answer from ${formatAddress(server)}, attempt ${attempt} of ${ATTEMPTS}`);
    }
  }
}

if (import.meta.main) {
  const { values, positionals: [host, ...more] } = readCommand({
    port: { type: "string", default: "123" },
  });
  if (host === undefined || more.length > 0) {
    exitWithProblem("usage: ntp_query.ts HOST [--port 123]");
  }
  let answer: Answer | undefined;
  try {
    answer = await query({ host, port: parsePort(values.port) });
  } catch (error) {
    if (error instanceof SocketError) exitWithError(error);
    console.error(`${host}: ${error instanceof Error ? error.message : error}`);
  }
  if (answer === undefined) Deno.exit(1);
  const { offset, delay, stratum } = answer;
  const sign = offset < 0 ? "" : "+";
  console.log(
    `offset ${sign}${offset.toFixed(6)} s, delay ${delay.toFixed(6)} s, stratum ${stratum}`,
  );
}
