/**
 * Listens, connects and replaces a stale file at a path, and prints the missing permission of the first call that
 * failed.
 *
 *     unix_socket.ts PATH
 *
 * A path that begins with `@` is an abstract name.
 */
import {
  accept,
  close,
  closeListener,
  connect,
  listen,
  recv,
  send,
  SocketError,
} from "../../../mod.ts";

const path = Deno.args[0].replace(/^@/, "\0");
const isFile = !path.startsWith("\0");

async function useAll(): Promise<void> {
  const listener = await listen({ path }, isFile ? { mode: 0o600, replaceStale: true } : {});
  const [client, server] = await Promise.all([connect({ path }), accept(listener)]);
  await send(client, new Uint8Array([1]));
  await recv(server);
  await Promise.all([close(client), close(server), closeListener(listener)]);
}

const report: Record<string, unknown> = {};
for (const [name, call] of Object.entries({ connect: () => connect({ path }), listen: useAll })) {
  try {
    await call();
    report[name] = "done";
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    const { kind, message, permission } = error;
    const state = permission && (await Deno.permissions.query(permission)).state;
    report[name] = { kind, message, permission, state };
  }
}
console.log(JSON.stringify(report));
