import { SocketError } from "../errors.ts";
import type { Address, Transport } from "../types.ts";
import { type Cancellation, cancelledError } from "../core/cancellation.ts";
import type { TcpSettings } from "../runtime/backend.ts";
import { platform } from "../runtime/platform.ts";

/** Twice to eight times the bytes that a socket takes, with the system's defaults, before somebody reads from it. */
const MORE_THAN_A_WINDOW_BYTES = 1024 * 1024;

/** The part of a TCP address that tells sockets apart; other addresses lack it. */
interface HostAndPort {
  readonly hostname?: string;
  readonly port?: number;
}

/** Connects to another socket. Rejects with what the backend throws. */
export async function connectTcp(
  address: Address,
  settings: TcpSettings,
  cancellation: Cancellation | undefined,
): Promise<Transport> {
  const transport = cancellation === undefined
    ? await platform.connect(address, settings)
    : await connectUntil(address, settings, cancellation);
  if (isSelfConnection(transport)) throw await refuseSelfConnection(transport, address);
  return transport;
}

/**
 * Connects unless the call is cancelled. Then it rejects at once and stops the backend; if the backend connects all the
 * same, in the very moment of the abort, the late connection is closed.
 */
function connectUntil(
  address: Address,
  settings: TcpSettings,
  cancellation: Cancellation,
): Promise<Transport> {
  const { promise, resolve, reject } = Promise.withResolvers<Transport>();
  const attempt = new AbortController();
  const stop = cancellation.watch((why) => {
    reject(cancelledError(why, "connect", address));
    attempt.abort();
  }, address);
  platform.connect(address, settings, attempt.signal).then(
    (transport) => {
      stop();
      if (attempt.signal.aborted) transport.close();
      else resolve(transport);
    },
    (error) => {
      stop();
      reject(error);
    },
  );
  return promise;
}

/**
 * Says if both ends of a connection are one socket. The system may choose as the local port the very one that a
 * program on the same machine connects to. If nobody listens there, the SYN meets itself, and TCP takes that for two
 * sockets that open at the same time (RFC 9293, 3.5).
 */
function isSelfConnection({ localAddr, remoteAddr }: Transport): boolean {
  const local = localAddr as HostAndPort | undefined;
  const remote = remoteAddr as HostAndPort | undefined;
  return local?.port !== undefined && local.port === remote?.port &&
    local.hostname === remote.hostname;
}

/** Closes a connection with itself and makes the error of its `connect`. */
async function refuseSelfConnection(transport: Transport, address: Address): Promise<SocketError> {
  // An orderly close would end in TIME_WAIT, and for a minute no server could listen on that port. With more unread
  // bytes than its window holds, the socket sends no end of stream, and the system resets it: the port is free.
  await transport.write(new Uint8Array(MORE_THAN_A_WINDOW_BYTES)).catch(() => {});
  transport.close();
  const reason = "nobody listens there, the system had connected the socket with itself";
  return new SocketError("ConnectionRefused", "connect", reason, { address });
}
