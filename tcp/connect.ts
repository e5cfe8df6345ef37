import { SocketError } from "../errors.ts";
import { observed, report } from "../observe/observers.ts";
import type { Address, Connection, ConnectOptions, SocketAddress, Transport } from "../types.ts";
import { checkSocketAddress } from "../core/address_check.ts";
import { Cancellation, cancelledError } from "../core/cancellation.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { StreamConnection } from "../connection/stream_connection.ts";
import type { Backend, TcpSettings } from "../runtime/backend.ts";
import { platform } from "../runtime/platform.ts";
import { readTcpOptions } from "./options.ts";

/** Twice to eight times the bytes that a socket takes, with the system's defaults, before somebody reads from it. */
const MORE_THAN_A_WINDOW_BYTES = 1024 * 1024;

/** The part of a TCP address that tells sockets apart; other addresses lack it. */
interface HostAndPort {
  readonly hostname?: string;
  readonly port?: number;
}

/** Connects, for `connect` and for a link. */
export function connectStream(
  address: SocketAddress,
  options: ConnectOptions | undefined,
): Promise<StreamConnection> {
  return openConnection(platform, address, options);
}

/** Connects with a backend: that of the runtime, or a host of a network in memory. */
export async function openConnection(
  backend: Backend,
  address: SocketAddress,
  options: ConnectOptions | undefined,
): Promise<StreamConnection> {
  const operation = "connect";
  const target = checkSocketAddress(operation, address, 1);
  const cancellation = Cancellation.read(operation, options);
  const { settings, sendQueueLimit } = readTcpOptions(operation, options);
  const already = cancellation?.already;
  if (already !== undefined) throw cancelledError(already, operation, target);
  const begin = observed.connect === undefined ? undefined : performance.now();
  try {
    const transport = await openTransport(target, settings, cancellation, backend);
    const connection = new StreamConnection(transport, sendQueueLimit);
    if (begin !== undefined) reportConnect(target, begin, { connection });
    return connection;
  } catch (cause) {
    const error = toSocketError(cause, operation, { address: target });
    if (begin !== undefined) reportConnect(target, begin, { error });
    throw error;
  }
}

/** The result of a `connect`. */
type Outcome = { readonly connection: Connection<SocketAddress> } | { readonly error: SocketError };

/** Reports the end of a `connect` that began at a time (ms) to those who observe it. */
export function reportConnect(address: SocketAddress, begin: number, outcome: Outcome): void {
  report("connect", { address, duration: performance.now() - begin, ...outcome });
}

/** Connects to another socket. Rejects with what the backend throws. */
export async function openTransport(
  address: SocketAddress,
  settings: TcpSettings,
  cancellation: Cancellation | undefined,
  backend: Backend = platform,
): Promise<Transport> {
  const open = (signal?: AbortSignal) =>
    address.host === undefined
      ? backend.connectUnix(address)
      : backend.connect(address, settings, signal);
  const transport = cancellation === undefined
    ? await open()
    : await openUntil(address, open, cancellation);
  if (address.host !== undefined && isSelfConnection(transport)) {
    throw await refuseSelfConnection(transport, address);
  }
  return transport;
}

/**
 * Connects unless the call is cancelled. Then it rejects at once and stops the backend; if the backend connects all the
 * same, in the very moment of the abort, the late connection is closed.
 */
function openUntil(
  address: SocketAddress,
  open: (signal: AbortSignal) => Promise<Transport>,
  cancellation: Cancellation,
): Promise<Transport> {
  const { promise, resolve, reject } = Promise.withResolvers<Transport>();
  const attempt = new AbortController();
  const stop = cancellation.watch((why) => {
    reject(cancelledError(why, "connect", address));
    attempt.abort();
  }, address);
  open(attempt.signal).then(
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
