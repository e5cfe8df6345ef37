import { assert, assertEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import {
  abort,
  accept,
  closeListener,
  closeWrite,
  connect,
  type Connection,
  connectionOver,
  connectTls,
  listen,
  recv,
  send,
  SocketError,
  type SocketErrorKind,
  startTls,
  type Transport,
} from "../../mod.ts";
import { AwkwardTransport } from "../support/awkward_transport.ts";
import type { TestAuthority } from "../support/certificates.ts";
import { Random } from "../support/random.ts";
import { expected, hashOf } from "./expectations.ts";
import type { Target } from "./target.ts";

/** Inputs are fewer by this factor: each is a whole session, and some wait for bytes that never come. */
const SLOWNESS = 200;
/** Time of a handshake of which a length was made too large (ms). */
const HANDSHAKE_TIMEOUT_MS = 300;
/** Bytes of one order. */
const ORDER_BYTES = 5;
const MOST_ORDERS = 4;
const KINDS: readonly SocketErrorKind[] = [
  ...["TlsFailed", "CertificateRejected", "UnexpectedEof", "TimedOut"] as const,
  ...["ConnectionReset", "BrokenPipe", "Closed"] as const,
];
const DATA = new TextEncoder().encode("only whole and true data may come out of a session");

/** One damage of a session: the direction, the place in it, and what happens there. */
interface Order {
  readonly byClient: boolean;
  readonly at: number;
  readonly what: number;
  readonly value: number;
}

/** Reads orders out of any bytes. */
function readOrders(input: Uint8Array): Order[] {
  const count = Math.min(MOST_ORDERS, Math.floor(input.length / ORDER_BYTES));
  return Array.from({ length: count }, (_, index) => {
    const [side, high, low, what, value] = input.subarray(index * ORDER_BYTES);
    return { byClient: side % 2 === 0, at: (high & 0x0f) << 8 | low, what: what % 6, value };
  });
}

/** The bytes of one direction, which pass with their damages. */
class Direction {
  /** True if a damage has happened. */
  damaged = false;
  readonly #orders: readonly Order[];
  #passed = 0;

  constructor(orders: readonly Order[], byClient: boolean) {
    this.#orders = orders.filter((order) => order.byClient === byClient);
  }

  /** Returns the bytes to pass on, or null for an end. */
  pass(bytes: Uint8Array): Uint8Array | null {
    const begin = this.#passed;
    this.#passed += bytes.length;
    let result: Uint8Array = bytes.slice();
    for (const { at, what, value } of this.#orders) {
      const place = at - begin;
      if (place < 0 || place >= bytes.length || place >= result.length) continue;
      this.damaged = true;
      if (what === 0) return null;
      result = change(result, place, what, value);
    }
    return result;
  }
}

function change(bytes: Uint8Array, at: number, what: number, value: number): Uint8Array {
  const [before, behind] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (what) {
    case 1: {
      const flipped = bytes.slice();
      flipped[at] ^= 1 << value % 8;
      return flipped;
    }
    case 2:
      return concat([before, Uint8Array.of(bytes[at] + 1 + value % 255 & 255), behind.subarray(1)]);
    case 3:
      return concat([before, behind.subarray(1 + value % 16)]);
    case 4:
      return concat([before, new Uint8Array(1 + value % 64).fill(value), behind]);
    default:
      return concat([before, behind.subarray(0, 1 + value), behind]);
  }
}

type Pair = readonly [PromiseSettledResult<Connection>, PromiseSettledResult<Connection>];

/** Makes the targets that damage sessions while they are made, for each engine of the client. */
export function liveTargets({ ca, server, client }: TestAuthority): Target[] {
  const handshakeTimeout = HANDSHAKE_TIMEOUT_MS;
  const trusted = { caCerts: [ca.cert], serverName: "server.test", handshakeTimeout };
  const own = { cert: client.cert, key: client.key };
  const demanding = {
    cert: server.cert,
    key: server.key,
    clientCaCerts: [ca.cert],
    handshakeTimeout,
  };

  async function overMemory(there: Direction, back: Direction, random: Random): Promise<Pair> {
    const [one, other] = AwkwardTransport.pair(random);
    return await Promise.allSettled([
      startTls(connectionOver(damaging(one, there)), { role: "client", ...trusted, ...own }),
      startTls(connectionOver(damaging(other, back)), { role: "server", ...demanding }),
    ]);
  }

  async function overTcp(there: Direction, back: Direction): Promise<Pair> {
    const loopback = { host: "127.0.0.1", port: 0 };
    const { cert, key } = server;
    const [behind, between] = await Promise.all([listen(loopback), listen(loopback)]);
    const connecting = connectTls(between.address, trusted);
    connecting.catch(() => {});
    const [near, far, plain] = await Promise.all([
      accept(between),
      connect(behind.address),
      accept(behind),
    ]);
    const pumping = Promise.all([pump(near, far, there), pump(far, near, back)]);
    const pair = await Promise.allSettled([
      connecting,
      startTls(plain, { role: "server", cert, key, handshakeTimeout }),
    ]);
    leaveBehind.push(async () => {
      abort(near);
      abort(far);
      await pumping;
      await Promise.all([closeListener(between), closeListener(behind)]);
    });
    return pair;
  }

  const leaveBehind: (() => Promise<void>)[] = [];

  async function check(
    input: Uint8Array,
    makePair: (there: Direction, back: Direction, random: Random) => Promise<Pair>,
  ): Promise<string> {
    const orders = readOrders(input);
    const [there, back] = [new Direction(orders, true), new Direction(orders, false)];
    try {
      const pair = await makePair(there, back, new Random(hashOf(input)));
      return await judge(pair, there, back);
    } finally {
      for (const end of leaveBehind.splice(0)) await end();
    }
  }

  const seeds = [[], [0, 0, 40, 1, 3], [1, 0, 60, 2, 9], [0, 0, 0, 0, 0], [1, 3, 0, 5, 90]];
  const common = {
    seeds: seeds.map((bytes) => new Uint8Array(bytes)),
    words: [new Uint8Array([0, 0, 5, 1, 1]), new Uint8Array([1, 1, 0, 4, 7])],
    longest: MOST_ORDERS * ORDER_BYTES,
    slowness: SLOWNESS,
    outcomes: ["in, in", "refused"],
    worst: [],
  };
  return [{
    ...common,
    name: "TLS session, engine",
    check: (input) => check(input, overMemory),
  }, {
    ...common,
    name: "TLS session, runtime",
    check: (input) => check(input, overTcp),
  }];
}

/** A transport whose written bytes are damaged on their way. */
function damaging(inner: AwkwardTransport, direction: Direction): Transport {
  return {
    read: (buffer) => inner.read(buffer),
    async write(bytes) {
      const out = direction.pass(bytes);
      if (out === null) await inner.closeWrite();
      else for (let sent = 0; sent < out.length;) sent += await inner.write(out.subarray(sent));
      return bytes.length;
    },
    close: () => inner.close(),
    closeWrite: () => inner.closeWrite(),
  };
}

/** Passes the bytes of one direction on until it ends. */
async function pump(from: Connection, to: Connection, direction: Direction): Promise<void> {
  try {
    for await (const bytes of from) {
      const out = direction.pass(bytes);
      if (out === null) break;
      await send(to, out);
    }
    await closeWrite(to);
  } catch (error) {
    assert(error instanceof SocketError, String(error));
  }
}

/**
 * Checks what has become of both sides. A side that has let the other one in gets only what that one sent; if nothing was
 * damaged, both are in.
 */
async function judge(pair: Pair, there: Direction, back: Direction): Promise<string> {
  const sides = pair.map((result) => {
    if (result.status === "fulfilled") return result.value;
    const { operation } = result.reason;
    expected(result.reason, operation, KINDS);
    return undefined;
  });
  const [near, far] = sides;
  try {
    const words = pair.map((result) =>
      result.status === "fulfilled" ? "in" : `refused ${result.reason.kind}`
    );
    if (near !== undefined && far !== undefined) {
      const whole = await Promise.all([exchange(near, far), exchange(far, near)]);
      const clean = !there.damaged && !back.damaged;
      assert(!clean || whole.every(Boolean), "data was lost, and nothing was damaged");
    }
    return words.join(", ");
  } finally {
    for (const side of sides) if (side !== undefined) abort(side);
  }
}

/** Sends data from one side to the other, and returns true if all of it came. What comes must be its beginning. */
async function exchange(from: Connection, to: Connection): Promise<boolean> {
  const sending = send(from, DATA).then(() => closeWrite(from)).then(
    () => undefined,
    (error) => error,
  );
  const came: Uint8Array[] = [];
  let isWhole = false;
  try {
    for (;;) {
      const bytes = await recv(to, { timeout: HANDSHAKE_TIMEOUT_MS });
      if (bytes === null) break;
      came.push(bytes);
    }
    isWhole = true;
  } catch (error) {
    expected(error, "recv", KINDS);
  }
  const bytes = concat(came);
  assert(equals(bytes, DATA.subarray(0, bytes.length)), "other data came");
  if (isWhole) assertEquals(bytes, DATA, "an end of stream before the end of the data");
  const failure = await sending;
  if (failure !== undefined) expected(failure, failure.operation, KINDS);
  return isWhole;
}
