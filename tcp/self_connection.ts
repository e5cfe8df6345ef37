import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";

/** Twice to eight times what a socket takes before somebody reads from it, with the system's defaults. */
const MORE_THAN_A_WINDOW = 1024 * 1024;

/**
 * Whether both ends of a connection are one socket. The system may choose as the local port the very one that a
 * program on the same machine is connecting to; where nobody listens, its SYN then meets itself, which TCP takes for
 * two that open at the same time (RFC 9293, 3.5).
 */
export function isSelfConnection({ localAddr, remoteAddr }: Deno.TcpConn): boolean {
  return localAddr.port === remoteAddr.port && localAddr.hostname === remoteAddr.hostname;
}

/** Closes it: the error of the connect that gave it. */
export async function refuseSelfConnection(
  conn: Deno.TcpConn,
  address: Address,
): Promise<SocketError> {
  // Closed in order it would end in TIME_WAIT, and the server that belongs there could not listen for a minute.
  // With more unread than its window holds, its end is not sent, and the system resets it: the port is free.
  await conn.write(new Uint8Array(MORE_THAN_A_WINDOW)).catch(() => {});
  conn.close();
  const reason = "nobody listens there, the system had connected the socket with itself";
  return new SocketError("ConnectionRefused", "connect", reason, { address });
}
