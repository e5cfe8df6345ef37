/** What a TCP connection is set to when it opens. */
export interface TcpTuning {
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
}

/**
 * Sets it, where the runtime still can: on a connection that the peer has reset already setsockopt
 * fails, and the reset shows in the first send or recv.
 */
export function tuneTcp(conn: Deno.TcpConn, { noDelay, keepAlive }: TcpTuning): void {
  try {
    if (noDelay) conn.setNoDelay(true);
    if (keepAlive) conn.setKeepAlive(true);
  } catch {
    // See above.
  }
}
