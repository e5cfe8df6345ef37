/** Lets a server that ends still answer the requests that have already come. */
import { type OperationOptions, SocketError } from "../mod.ts";

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
