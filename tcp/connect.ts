import type { Address } from "../types.ts";
import { type Cancellation, cancelledError } from "../core/cancellation.ts";

/**
 * Connects through the runtime, which resolves the name and tries each address (RFC 8305). A caller
 * that is cancelled is told at once; the runtime is told too, and where it connects all the same, in
 * the very moment of the abort, the late connection is closed. Rejects with what the runtime throws.
 */
export function connectTcp(
  address: Address,
  cancellation: Cancellation | undefined,
): Promise<Deno.TcpConn> {
  const target = { hostname: address.host, port: address.port };
  return cancellation === undefined
    ? Deno.connect(target)
    : connectUntil(target, address, cancellation);
}

function connectUntil(
  target: { hostname: string; port: number },
  address: Address,
  cancellation: Cancellation,
): Promise<Deno.TcpConn> {
  const { promise, resolve, reject } = Promise.withResolvers<Deno.TcpConn>();
  const inner = new AbortController();
  // The runtime asks this once it has connected, and forgets the open socket where it throws: up to 3 %
  // of such races left one behind. Never told, it gives us the late connection instead.
  inner.signal.throwIfAborted = () => {};
  const stop = cancellation.watch((why) => {
    reject(cancelledError(why, "connect", address));
    inner.abort();
  }, address);
  Deno.connect({ ...target, signal: inner.signal }).then(
    (conn) => {
      stop();
      if (inner.signal.aborted) conn.close();
      else resolve(conn);
    },
    (error) => {
      stop();
      reject(error);
    },
  );
  return promise;
}
