/** How a server that ends answers what has already come. */
import { type OperationOptions, SocketError } from "../mod.ts";

/**
 * Receives with the server's signal, and when that has aborted for so many milliseconds more: an aborted signal
 * refuses even requests that wait here already, a timeout lets them through.
 *
 * @returns What came, or `null` where nothing comes any more.
 */
export async function untilLastCall<T>(
  receive: (options: OperationOptions) => Promise<T | null>,
  signal: AbortSignal,
  milliseconds: number,
): Promise<T | null> {
  try {
    return await receive(signal.aborted ? { timeout: milliseconds } : { signal });
  } catch (error) {
    const kind = signal.aborted && error instanceof SocketError ? error.kind : undefined;
    if (kind === "Aborted") return untilLastCall(receive, signal, milliseconds);
    if (kind === "TimedOut") return null;
    throw error;
  }
}
