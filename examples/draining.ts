/** Lets a server that ends still answer the requests that have already come. */
import { close, type Connection, type OperationOptions, SocketError } from "../mod.ts";

/**
 * Receives with the server's signal, and after that has aborted for at most `drainMs` milliseconds more.
 *
 * A call with an aborted signal rejects even if a request waits, and one with a timeout receives it.
 *
 * @returns The request, or `null` after the last one.
 */
export async function recvDraining<T>(
  receive: (options: OperationOptions) => Promise<T | null>,
  signal: AbortSignal,
  drainMs: number,
): Promise<T | null> {
  try {
    return await receive(signal.aborted ? { timeout: drainMs } : { signal });
  } catch (error) {
    const kind = signal.aborted && error instanceof SocketError ? error.kind : undefined;
    if (kind === "Aborted") return recvDraining(receive, signal, drainMs);
    if (kind === "TimedOut") return null;
    throw error;
  }
}

/** Says since when a handler has waited for its client: a time of `Date.now()`, or `Infinity` while it answers. */
export interface Wait {
  since: number;
}

/**
 * Closes a connection after the signal aborts, as soon as its handler has waited for `quietMs` milliseconds. The call
 * that waits then rejects with `Closed`.
 *
 * It replaces {@linkcode recvDraining} for small requests that come in batches: a signal in each call takes 2 µs, which
 * is a tenth of the time for 64 of them.
 *
 * @returns A function that ends this; call it when the handler returns.
 */
export function closeWhenQuiet(
  connection: Connection,
  signal: AbortSignal,
  quietMs: number,
  wait: Readonly<Wait>,
): () => void {
  let timer: ReturnType<typeof setInterval> | undefined;
  const begin = () => {
    timer = setInterval(() => {
      if (Date.now() - wait.since < quietMs) return;
      clearInterval(timer);
      // If this fails, so does the call that waits.
      close(connection).catch(() => {});
    }, quietMs / 10);
  };
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin);
  return () => {
    signal.removeEventListener("abort", begin);
    clearInterval(timer);
  };
}
