import { StreamListener } from "../connection/stream_listener.ts";
import { checkSocketAddress } from "../core/address_check.ts";
import { toSocketError } from "../core/error_mapping.ts";
import type { Backend } from "../runtime/backend.ts";
import { platform } from "../runtime/platform.ts";
import type {
  Address,
  Listener,
  ListenOptions,
  SocketAddress,
  UnixAddress,
  UnixListenOptions,
} from "../types.ts";
import { readListenOptions, readUnixListenOptions } from "./options.ts";

/** Listens with a backend: that of the runtime, or a host of a network in memory. */
export async function openListener(
  address: SocketAddress,
  options: (ListenOptions & UnixListenOptions) | undefined,
  backend: Backend = platform,
): Promise<Listener<SocketAddress>> {
  const operation = "listen";
  const where = checkSocketAddress(operation, address, 0);
  try {
    return where.host === undefined
      ? await listenOnPath(where, options, backend)
      : await listenOnPort(where, options, backend);
  } catch (error) {
    throw toSocketError(error, operation, { address: where });
  }
}

async function listenOnPath(
  where: UnixAddress,
  options: UnixListenOptions | undefined,
  backend: Backend,
): Promise<StreamListener> {
  const { settings, sendQueueLimit } = readUnixListenOptions("listen", where.path, options);
  return new StreamListener(await backend.listenUnix(where, settings), sendQueueLimit);
}

async function listenOnPort(
  where: Address,
  options: ListenOptions | undefined,
  backend: Backend,
): Promise<StreamListener> {
  const { settings, sendQueueLimit } = readListenOptions("listen", options);
  return new StreamListener(await backend.listen(where, settings), sendQueueLimit);
}
