import { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";

/** On whose behalf a header is read. */
export interface ProxyContext {
  /** The exported function that errors name. */
  readonly operation: string;
  /** Who sent the header. */
  readonly peer?: Address;
}

/** The error for bytes that no header of the protocol has. */
export function invalidHeader({ operation, peer }: ProxyContext, reason: string): SocketError {
  return new SocketError("InvalidData", operation, reason, { address: peer });
}
