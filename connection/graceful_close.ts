import { checkLimit, checkOptions, readArguments } from "../core/arguments.ts";
import { startDeadline } from "../core/timer.ts";
import { SocketError } from "../errors.ts";
import type { CloseOptions } from "../types.ts";
import type { ConnectionState } from "./connection_state.ts";
import type { Receiver } from "./receiver.ts";
import type { Sender } from "./sender.ts";
import type { WriteEnd } from "./write_end.ts";

/** Time without a byte from the peer after which a close stops waiting for its end of stream (ms). */
export const DEFAULT_LINGER_MS = 1000;
/**
 * Time without a byte leaving after which a flush is given up (ms). Linux reports room again when a third of the send
 * buffer is free. That is up to 1.4 MB, and a peer that reads steadily takes its time for it.
 */
export const DEFAULT_FLUSH_TIMEOUT_MS = 30_000;
/** A close reads what a peer goes on sending for at most this long after the flush. */
const LONGEST_TALK_MS = 30_000;

/** The limits of a close, in milliseconds. */
export interface CloseLimits {
  /** Longest wait for the peer's next byte or its end of stream, after everything was sent. */
  readonly linger: number;
  /** Longest wait for the next bytes to leave. */
  readonly flushTimeout: number;
}

const DEFAULTS: CloseLimits = { linger: DEFAULT_LINGER_MS, flushTimeout: DEFAULT_FLUSH_TIMEOUT_MS };

/** Reads and checks a caller's options. */
export function readCloseLimits(options: CloseOptions | undefined): CloseLimits {
  if (options === undefined) return DEFAULTS;
  return readArguments("close", () => {
    const { linger, flushTimeout } = checkOptions("close", options);
    return {
      linger: checkLimit("close", "linger", linger, DEFAULT_LINGER_MS),
      flushTimeout: checkLimit("close", "flushTimeout", flushTimeout, DEFAULT_FLUSH_TIMEOUT_MS),
    };
  });
}

/** The parts of a connection that take part in its close. */
export interface ClosingParts {
  readonly state: ConnectionState;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly writeEnd: WriteEnd;
}

/**
 * Delivers what was sent, so that the transport can be closed. It returns the error of a delivery that was given up.
 *
 * If a socket is closed with unread input, the kernel destroys what it has not delivered yet (RFC 1122, 4.2.2.13):
 * 2 MB written, 0.13 MB arrived. So the sending side ends first, and what the peer still sends is read and dropped. That
 * begins at once: two sides that close at the same time with full buffers would wait for each other otherwise.
 */
export async function deliver(
  { state, sender, receiver, writeEnd }: ClosingParts,
  { linger, flushTimeout }: CloseLimits,
): Promise<SocketError | undefined> {
  const talk = new ActivityWait();
  const discarded = receiver.input.discard(talk.note);
  // An error that the peer caused is no failure of a close.
  const ended = writeEnd.end().catch(() => {});
  const closed = state.waitClosed();
  if (!sender.idle) {
    const progress = new ActivityWait();
    sender.onProgress = progress.note;
    await progress.wait([sender.waitIdle(), closed], { quiet: flushTimeout, longest: Infinity });
    sender.onProgress = undefined;
  }
  if (state.phase === "closed") return undefined;
  const lost = sender.bytesQueued;
  if (lost > 0) return gaveUp(`gave up on ${lost} bytes, none had left for ${flushTimeout} ms`);
  // A linger that is longer than that is as long for a peer that talks as for a silent one.
  const longest = Math.max(linger, LONGEST_TALK_MS);
  const over = state.transport.closeWrite === undefined ? ended : ended.then(() => discarded);
  const end = await talk.wait([over, closed], { quiet: linger, longest });
  return end !== "too long" ? undefined : gaveUp(
    `the peer still sent ${longest} ms after everything had left, so sent data may be lost`,
  );

  function gaveUp(reason: string): SocketError {
    const { bytesSent } = sender;
    return new SocketError("TimedOut", "close", reason, { address: state.peer, bytesSent });
  }
}

/** The end of a wait: the event came, nothing happened for too long, or things happened for too long. */
type WaitEnd = "done" | "quiet" | "too long";

/** The limits of a wait, in milliseconds. */
interface ActivityLimits {
  /** Longest time without activity. */
  readonly quiet: number;
  /** Longest time in all. */
  readonly longest: number;
}

/**
 * Waits for an event as long as there is activity. Activity only notes the time; the timer looks at that when it fires,
 * and starts again for the rest. To start it again with each read would cost more than the read.
 */
class ActivityWait {
  #last = 0;
  #stop: (() => void) | undefined;

  /** Notes that something happened. */
  readonly note = (): void => {
    this.#last = performance.now();
  };

  /** Waits for the first of the events, which do not reject. */
  async wait(events: Promise<void>[], { quiet, longest }: ActivityLimits): Promise<WaitEnd> {
    const { promise: over, resolve } = Promise.withResolvers<WaitEnd>();
    const begin = this.#last = performance.now();
    const check = () => {
      const now = performance.now();
      const quietLeft = this.#last + quiet - now;
      const left = begin + longest - now;
      if (quietLeft <= 0) resolve("quiet");
      else if (left <= 0) resolve("too long");
      else this.#stop = startDeadline(Math.min(quietLeft, left), check);
    };
    this.#stop = startDeadline(Math.min(quiet, longest), check);
    const end = await Promise.race([over, Promise.race(events).then(() => "done" as const)]);
    this.#stop();
    return end;
  }
}
