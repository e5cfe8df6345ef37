import { SocketError } from "../errors.ts";
import { startDeadline } from "./timer.ts";
import type { ConnectionState } from "./connection_state.ts";
import { ForeignTransport } from "./foreign_transport.ts";
import type { Receiver } from "./receiver.ts";
import type { Sender } from "./sender.ts";

/** Milliseconds to wait for the peer's end of stream where nothing else is said. */
export const DEFAULT_LINGER = 1000;
/** A flush is given at least this long without progress, whatever `linger` says. */
export const LEAST_PATIENCE = 1000;

/** How long to wait, in milliseconds. */
export interface Patience {
  /** For the peer's end of stream, after everything was sent. */
  readonly linger: number;
  /**
   * For the next bytes to leave. Linux says that there is room again when a third of the send buffer is free: up to
   * 1.4 MB, which a peer that reads steadily takes its time for.
   */
  readonly patience: number;
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
  { linger, patience }: Patience,
): Promise<void> {
  const { state, sender, receiver, endWriting, whenDropped, abort } = connection;
  const discarded = receiver.discard();
  // What the peer did to the connection is not this call's failure.
  const ended = endWriting().catch(() => {});
  await flush(sender, patience, whenDropped);
  const lost = state.dropped ? 0 : sender.bytesQueued;
  if (!state.dropped && lost === 0) {
    const over = state.transport.closeWrite === undefined ? ended : ended.then(() => discarded);
    await within(linger, [over, whenDropped]);
  }
  const { bytesSent } = sender;
  abort();
  // The descriptor is free when the runtime has let go of the read. Others may never let go.
  if (!(state.transport instanceof ForeignTransport)) await receiver.whenQuiet();
  if (lost === 0) return;
  throw new SocketError(
    "TimedOut",
    "close",
    `gave up on ${lost} bytes, none had left for ${patience} ms`,
    { address: state.peer, bytesSent },
  );
}

/** Waits until all is written, or until no byte has left for `patience` ms. */
async function flush(sender: Sender, patience: number, dropped: Promise<void>): Promise<void> {
  if (sender.idle) return;
  const { promise: stuck, resolve: giveUp } = Promise.withResolvers<void>();
  let stop = startDeadline(patience, giveUp);
  sender.onProgress = () => {
    stop();
    stop = startDeadline(patience, giveUp);
  };
  await Promise.race([sender.whenIdle(), stuck, dropped]);
  sender.onProgress = undefined;
  stop();
}

/** Waits for the first of these, `ms` at most. */
async function within(ms: number, events: Promise<void>[]): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const stop = startDeadline(ms, resolve);
  await Promise.race([over, ...events]);
  stop();
}
