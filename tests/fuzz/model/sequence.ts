import { assert } from "@std/assert";
import { deadline } from "@std/async";
import {
  abort,
  accept,
  closeListener,
  type Connection,
  connectionOver,
  type SocketAddress,
} from "../../../mod.ts";
import { memoryNetwork } from "../../../testing.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { Random } from "../../support/random.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { unixPair } from "../../support/unix_sockets.ts";
import { Cancels } from "./call.ts";
import { judgeReceived, judgeSent } from "./judge.ts";
import { type Nature, Side } from "./side.ts";
import { saysEndAtAbort, TLS_KINDS, tlsEnds, type TlsKind } from "./tls_ends.ts";

/** Deno 2.7 has this function, but not its type. */
declare function setImmediate(callback: (value: void) => void): unknown;

/** Longer than the flush timeout of `close` (ms). */
const SETTLE_TIMEOUT_MS = 60_000;
export const SEND_QUEUE_LIMIT = 100_000;
const NO_LIMITS = { timeout: undefined, signal: "none" } as const;

// The real functions. They are replaced while a sequence counts timers.
const { setTimeout: startTimer, clearTimeout: stopTimer } = globalThis;

/** Waits one turn of the event loop, in which every continuation that can run has run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void startTimer(resolve, ms));
}

/** Two connected sides that commands work on. */
export interface Sequence {
  readonly sides: readonly [Side, Side];
  readonly cancels: Cancels;
  /** Drops a side as a crashed machine does, if the transport can. */
  reset(side: Side): void;
}

/** The transports of the sequences. */
export type Kind = "memory" | "TCP" | "Unix" | "network" | TlsKind;

export interface Ends {
  readonly near: Connection<SocketAddress>;
  readonly far: Connection<SocketAddress>;
  /** Drops an end as a crashed machine does: 0 is the near one. It is missing if the transport cannot. */
  readonly reset?: (which: number) => void;
  end(): PromiseLike<void>;
}

function isTls(kind: Kind): kind is TlsKind {
  return (TLS_KINDS as readonly string[]).includes(kind);
}

/** Returns the behaviour of the transport under one end: 0 is the near one. */
export function natureOf(kind: Kind, which: number): Nature {
  if (!isTls(kind)) return { name: kind, keepsAll: kind === "memory", tls: undefined };
  const peerSaysEnd = which === 1 && saysEndAtAbort(kind);
  return { name: kind, keepsAll: false, tls: { peerSaysEndAtAbort: peerSaysEnd } };
}

export async function ends(kind: Kind, seed: number): Promise<Ends> {
  const options = { sendQueueLimit: SEND_QUEUE_LIMIT };
  if (isTls(kind)) return await tlsEnds(kind, seed, options);
  if (kind === "network") return await networkEnds(seed, options);
  if (kind !== "memory") {
    const { client, server, ...pair } = kind === "TCP"
      ? await tcpPair(options)
      : await unixPair(options);
    return { near: client, far: server, end: () => pair[Symbol.asyncDispose]() };
  }
  const transports = AwkwardTransport.pair(new Random(seed));
  const [near, far] = transports.map((transport) => connectionOver(transport, options));
  const reset = (which: number) => transports[which].reset();
  const end = (): Promise<void> => {
    abort(near);
    abort(far);
    return Promise.resolve();
  };
  return { near, far, reset, end };
}

/** Connects two hosts of a network in memory. */
async function networkEnds(seed: number, options: { sendQueueLimit: number }): Promise<Ends> {
  const network = memoryNetwork({ seed, latency: 0, jitter: 0, trace: false });
  const listener = await network.host("far").listen({ host: "far", port: 1 }, options);
  const connecting = network.host("near").connect({ host: "far", port: 1 }, options);
  const [near, far] = await Promise.all([connecting, accept(listener)]);
  await closeListener(listener);
  return {
    near,
    far,
    reset: (which) => network.reset([near, far][which]),
    end(): Promise<void> {
      abort(near);
      abort(far);
      network[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

/** Runs commands on a new pair, then ends it and judges all outcomes. */
export async function runSequence(
  kind: Kind,
  seed: number,
  commands: (sequence: Sequence) => Promise<void>,
): Promise<void> {
  using timers = countedTimers();
  const { near, far, reset, end } = await ends(kind, seed);
  try {
    const cancels = new Cancels();
    // The accepted side of a pair of sockets has the default limit.
    const isSockets = kind === "TCP" || kind === "Unix";
    const limits = [SEND_QUEUE_LIMIT, isSockets ? 16 * 1024 * 1024 : SEND_QUEUE_LIMIT];
    const sides = [near, far].map((connection, index) =>
      new Side("AB"[index], connection, natureOf(kind, index), cancels, limits[index])
    ) as [Side, Side];
    [sides[0].peer, sides[1].peer] = [sides[1], sides[0]];
    await commands({
      sides,
      cancels,
      reset(side) {
        // A side that has ended in order cannot reset any more.
        if (reset !== undefined && !side.finished) {
          reset(sides.indexOf(side));
          side.wasReset = true;
        }
        side.abort();
      },
    });
    await finish(sides);
    assert(cancels.listeners === 0, `${cancels.listeners} abort listeners are left`);
    // A transport that gave nothing is asked again after a timer, even if it is closed.
    if (timers.running > 0) await pause(10);
    assert(timers.running === 0, `${timers.running} timers are left`);
  } finally {
    await end();
  }
}

/** Ends the sides that are still open, receives the rest, and judges. */
async function finish(sides: readonly [Side, Side]): Promise<void> {
  for (const side of sides) if (!side.finished) side.closeWrite(NO_LIMITS);
  await Promise.all(sides.map(drain));
  await settle(sides);
  for (const side of sides) {
    judgeReceived(side);
    judgeSent(side);
  }
  for (const side of sides) side.abort();
  await turn();
  for (const side of sides) {
    side.recv(undefined, NO_LIMITS);
    side.send(new Uint8Array(1), NO_LIMITS, "send");
  }
  await settle(sides);
}

async function drain(side: Side): Promise<void> {
  while (!side.closed && side.ending === undefined) {
    if (side.receiving === undefined) side.recv(undefined, NO_LIMITS);
    await patiently(side.calls.at(-1)!.what, side.receiving?.settled);
    await turn();
  }
}

async function settle(sides: readonly Side[]): Promise<void> {
  for (const side of sides) {
    for (const call of side.calls) await patiently(call.what, call.settled);
  }
}

async function patiently(what: string, settled: Promise<void> | undefined): Promise<void> {
  try {
    await deadline(settled ?? Promise.resolve(), SETTLE_TIMEOUT_MS);
  } catch (error) {
    if ((error as Error).name !== "TimeoutError") throw error;
    throw new Error(`${what} does not settle`, { cause: error });
  }
}

/** Counts the running timers until it is disposed. */
function countedTimers(): Disposable & { readonly running: number } {
  const ids = new Set<unknown>();
  Object.assign(globalThis, {
    setTimeout(fire: () => void, ms?: number): unknown {
      const id = startTimer(() => {
        ids.delete(id);
        fire();
      }, ms);
      ids.add(id);
      return id;
    },
    clearTimeout(id: ReturnType<typeof startTimer>): void {
      ids.delete(id);
      stopTimer(id);
    },
  });
  return {
    get running(): number {
      return ids.size;
    },
    [Symbol.dispose]: () =>
      void Object.assign(globalThis, { setTimeout: startTimer, clearTimeout: stopTimer }),
  };
}
