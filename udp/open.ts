import { checkAddress } from "../core/address_check.ts";
import { checkBoolean, checkLimit, checkOptions, readArguments } from "../core/arguments.ts";
import { toSocketError } from "../core/error_mapping.ts";
import type { Backend, DatagramSettings } from "../runtime/backend.ts";
import type { Address, BindUdpOptions, UdpSocket } from "../types.ts";
import { BoundUdpSocket } from "./udp_socket.ts";

const OPERATION = "bindUdp";
/** Default limit of the datagrams that wait in one socket. */
const DEFAULT_DATAGRAM_QUEUE_BYTES = 16 * 1024 * 1024;

/** Checked options of `bindUdp`. */
interface UdpOptions {
  readonly settings: DatagramSettings;
  /** Bytes of datagrams that may wait. */
  readonly limit: number;
}

/** Binds with a backend: `bindUdp` of a program or of a network in memory. */
export async function openUdpSocket(
  backend: Backend,
  address: Address,
  options: BindUdpOptions | undefined,
): Promise<UdpSocket> {
  const where = checkAddress(OPERATION, address, 0);
  const { settings, limit } = readUdpOptions(options);
  try {
    return new BoundUdpSocket(await backend.bindDatagrams(where, settings), limit);
  } catch (error) {
    throw toSocketError(error, OPERATION, { address: where });
  }
}

function readUdpOptions(options: BindUdpOptions | undefined): UdpOptions {
  return readArguments(OPERATION, () => {
    const { reuseAddress, sendQueueLimit } = checkOptions(OPERATION, options);
    const settings: DatagramSettings = {
      reuseAddress: checkBoolean(OPERATION, "reuseAddress", reuseAddress, false),
    };
    const fallback = DEFAULT_DATAGRAM_QUEUE_BYTES;
    const limit = checkLimit(OPERATION, "sendQueueLimit", sendQueueLimit, fallback);
    return { settings, limit };
  });
}
