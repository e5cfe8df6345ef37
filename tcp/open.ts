import { checkAddress } from "../core/address_check.ts";
import { Cancellation, cancelledError } from "../core/cancellation.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { StreamConnection } from "../connection/stream_connection.ts";
import { StreamListener } from "../connection/stream_listener.ts";
import type { Backend } from "../runtime/backend.ts";
import type { Address, Connection, ConnectOptions, Listener, ListenOptions } from "../types.ts";
import { connectTcp } from "./connect.ts";
import { readListenOptions, readTcpOptions } from "./options.ts";

/** Listens with a backend: `listen` of a program or of a network in memory. */
export async function openListener(
  backend: Backend,
  address: Address,
  options: ListenOptions | undefined,
): Promise<Listener> {
  const operation = "listen";
  const where = checkAddress(operation, address, 0);
  const { settings, sendQueueLimit } = readListenOptions(operation, options);
  try {
    return new StreamListener(await backend.listen(where, settings), sendQueueLimit);
  } catch (error) {
    throw toSocketError(error, operation, { address: where });
  }
}

/** Connects with a backend: `connect` of a program or of a network in memory. */
export async function openConnection(
  backend: Backend,
  address: Address,
  options: ConnectOptions | undefined,
): Promise<Connection> {
  const operation = "connect";
  const target = checkAddress(operation, address, 1);
  const cancellation = Cancellation.read(operation, options);
  const { settings, sendQueueLimit } = readTcpOptions(operation, options);
  const already = cancellation?.already;
  if (already !== undefined) throw cancelledError(already, operation, target);
  try {
    const transport = await connectTcp(backend, target, settings, cancellation);
    return new StreamConnection(transport, sendQueueLimit);
  } catch (error) {
    throw toSocketError(error, operation, { address: target });
  }
}
