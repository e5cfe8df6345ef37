/**
 * Calls every function at an address, and prints the missing permission of the first call that failed.
 *
 *     every_function.ts HOST PORT [NAME]
 *
 * With a name, datagrams go to the name instead of the host.
 */
import {
  abort,
  accept,
  bindUdp,
  close,
  closeListener,
  closeUdp,
  closeWrite,
  connect,
  connectionOver,
  formatAddress,
  listen,
  parseAddress,
  recv,
  recvFrom,
  recvInto,
  send,
  sendTo,
  SocketError,
} from "../../../mod.ts";

const [host, port, name] = Deno.args;
const address = parseAddress(formatAddress({ host, port: Number(port) }));

async function useAll(): Promise<void> {
  const listener = await listen(address);
  const [client, server] = await Promise.all([connect(address), accept(listener)]);
  await send(client, new Uint8Array([1, 2]));
  await recv(server, { maxBytes: 1, timeout: 10_000 });
  await recvInto(server, new Uint8Array(1));
  await closeWrite(client);
  await Promise.all([close(client), close(server), closeListener(listener)]);
  abort(connectionOver({
    read: () => Promise.resolve(null),
    write: (bytes) => Promise.resolve(bytes.length),
    close: () => {},
  }));
  const socket = await bindUdp(address);
  await sendTo(socket, { host: name ?? host, port: address.port }, new Uint8Array(1));
  await recvFrom(socket, { timeout: 10_000 });
  await closeUdp(socket);
  await closeUdp(await bindUdp({ host, port: 0 }));
}

try {
  await useAll();
  console.log(JSON.stringify({ done: true }));
} catch (error) {
  if (!(error instanceof SocketError) || error.kind !== "PermissionDenied") throw error;
  const { operation, message, permission } = error;
  const { state } = await Deno.permissions.query(permission!);
  console.log(JSON.stringify({ operation, message, permission, state }));
  Deno.exit(0);
}
