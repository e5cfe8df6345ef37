import { checkAddress } from "../core/address_check.ts";
import {
  checkBoolean,
  checkLimit,
  checkOptions,
  checkWhole,
  readArguments,
} from "../core/arguments.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { ipFamily } from "../core/ip_address.ts";
import type { Backend, DatagramSettings } from "../runtime/backend.ts";
import { checkIPv6Only } from "../runtime/datagram_settings.ts";
import type { Address, BindUdpOptions, UdpSocket } from "../types.ts";
import { checkInterface } from "./multicast.ts";
import { BoundUdpSocket } from "./udp_socket.ts";

const OPERATION = "bindUdp";
/** Default limit of the datagrams that wait in one socket. */
const DEFAULT_DATAGRAM_QUEUE_BYTES = 16 * 1024 * 1024;
const LARGEST_TTL = 255;

/** Binds with a backend: that of the runtime, or a host of a network in memory. */
export async function openUdpSocket(
  backend: Backend,
  address: Address,
  options: BindUdpOptions | undefined,
): Promise<UdpSocket> {
  const where = checkAddress(OPERATION, address, 0);
  const { settings, limit } = readArguments(OPERATION, () => readBindOptions(where, options));
  try {
    const socket = await backend.bindDatagrams(where, settings);
    return new BoundUdpSocket(socket, limit, settings.ipv6Only);
  } catch (error) {
    throw toSocketError(error, OPERATION, { address: where });
  }
}

function readBindOptions(
  where: Address,
  options: BindUdpOptions | undefined,
): { readonly settings: DatagramSettings; readonly limit: number } {
  const {
    reuseAddress,
    sendQueueLimit,
    multicastLoopback,
    multicastTtl,
    multicastInterface,
    ttl,
    ipv6Only,
  } = checkOptions(OPERATION, options);
  const settings: DatagramSettings = {
    reuseAddress: checkBoolean(OPERATION, "reuseAddress", reuseAddress, false),
    multicastLoopback: checkBoolean(OPERATION, "multicastLoopback", multicastLoopback, true),
    multicastTtl: checkTtl("multicastTtl", multicastTtl),
    multicastInterface: checkInterface(
      OPERATION,
      "multicastInterface",
      multicastInterface,
      ipFamily(where.host),
    ),
    ttl: checkTtl("ttl", ttl),
    ipv6Only: checkBoolean(OPERATION, "ipv6Only", ipv6Only, false),
  };
  checkIPv6Only(where, settings);
  return {
    settings,
    limit: checkLimit(OPERATION, "sendQueueLimit", sendQueueLimit, DEFAULT_DATAGRAM_QUEUE_BYTES),
  };
}

function checkTtl(name: string, value: unknown): number | undefined {
  return value === undefined ? undefined : checkWhole(OPERATION, name, value, 1, LARGEST_TTL);
}
