import { SocketError } from "../errors.ts";
import type { CloseOptions } from "../types.ts";
import { ActivityWait } from "./activity_wait.ts";
import { checkLimit, readArguments } from "../core/arguments.ts";
import type { ConnectionState } from "./connection_state.ts";
import { CheckedTransport } from "./checked_transport.ts";
import type { Receiver } from "./receiver.ts";
import type { Sender } from "./sender.ts";

/** Time without a byte from the peer after which a close stops waiting for its end of stream (ms). */
export const DEFAULT_LINGER = 1000;
/**
 * Time without a byte leaving after which a flush is given up (ms). Linux says that there is room again when a third
 * of the send buffer is free: up to 1.4 MB, which a peer that reads steadily takes its time for.
 */
export const DEFAULT_FLUSH_TIMEOUT = 30_000;
/** A peer that goes on sending is listened to for at most this long after the flush (ms). */
const LONGEST_TALK = 30_000;

/** How long to wait, in milliseconds. */
export interface CloseLimits {
  /** For the peer's next byte or its end of stream, after everything was sent. */
  readonly linger: number;
  /** For the next bytes to leave. */
  readonly flushTimeout: number;
}

const DEFAULTS: CloseLimits = { linger: DEFAULT_LINGER, flushTimeout: DEFAULT_FLUSH_TIMEOUT };

/** Reads and checks a caller's options. */
export function readCloseLimits(options: CloseOptions | undefined): CloseLimits {
  if (options === undefined) return DEFAULTS;
  const { linger, flushTimeout } = readArguments("close", () => {
    const { linger, flushTimeout } = options;
    return { linger, flushTimeout };
  });
  return {
    linger: checkLimit("close", "linger", linger, DEFAULT_LINGER),
    flushTimeout: checkLimit("close", "flushTimeout", flushTimeout, DEFAULT_FLUSH_TIMEOUT),
  };
}

/** What closing needs of a connection. */
export interface Closable {
  readonly state: ConnectionState;
  readonly sender: Sender;
  readonly receiver: Receiver;
  /** Flushes, then ends the sending direction. */
  readonly endWriting: () => Promise<void>;
  /** Resolves when somebody aborts meanwhile. */
  readonly whenDropped: Promise<void>;
  readonly abort: () => void;
}

/**
 * Delivers what was sent, then closes. To close a socket with unread input makes the kernel destroy
 * what it has not delivered yet (RFC 1122, 4.2.2.13): 2 MB written, 0.13 MB arrived. So the sending
 * side ends first, and what the peer still sends is read and dropped, from the start on: two sides that
 * close at once with full buffers would wait for each other otherwise.
 */
export async function closeGracefully(
  connection: Closable,
  { linger, flushTimeout }: CloseLimits,
): Promise<void> {
  const { state, sender, receiver, endWriting, whenDropped, abort } = connection;
  const talk = new ActivityWait();
  const discarded = receiver.discard(talk.note);
  // What the peer did to the connection is not this call's failure.
  const ended = endWriting().catch(() => {});
  await flush(sender, flushTimeout, whenDropped);
  const lost = state.dropped ? 0 : sender.bytesQueued;
  // One that lingers for longer than that waits as long for a peer that talks as for one that does not.
  const longest = Math.max(linger, LONGEST_TALK);
  let cut = false;
  if (!state.dropped && lost === 0) {
    const over = state.transport.closeWrite === undefined ? ended : ended.then(() => discarded);
    cut = await talk.wait([over, whenDropped], { quiet: linger, longest }) === "too long";
  }
  const { bytesSent } = sender;
  abort();
  // The descriptor is free when the runtime has let go of the read. Others may never let go.
  if (!(state.transport instanceof CheckedTransport)) await receiver.waitQuiet();
  if (lost === 0 && !cut) return;
  const reason = cut
    ? `the peer still sent ${longest} ms after everything had left, so sent data may be lost`
    : `gave up on ${lost} bytes, none had left for ${flushTimeout} ms`;
  throw new SocketError("TimedOut", "close", reason, { address: state.peer, bytesSent });
}

/** Waits until all is written, or until no byte has left for `timeout` ms. */
async function flush(sender: Sender, timeout: number, dropped: Promise<void>): Promise<void> {
  if (sender.idle) return;
  const progress = new ActivityWait();
  sender.onProgress = progress.note;
  await progress.wait([sender.waitIdle(), dropped], { quiet: timeout, longest: Infinity });
  sender.onProgress = undefined;
}
