/**
 * Requires permissions, and prints the outcome as JSON. Then it prints the errors of the functions at these addresses.
 *
 *     requires_permissions.ts '{"listen": [{"host": "127.0.0.1", "port": 0}], …}'
 */
import {
  abort,
  type Address,
  bindUdp,
  closeListener,
  closeUdp,
  connect,
  listen,
  requirePermissions,
  sendTo,
  SocketError,
} from "../../../mod.ts";

type Needed = Partial<Record<"listen" | "connect" | "bindUdp" | "sendTo", Address[]>>;

const needed: Needed = JSON.parse(Deno.args[0]);

async function useAll(): Promise<void> {
  for (const address of needed.listen ?? []) await closeListener(await listen(address));
  for (const address of needed.connect ?? []) abort(await connect(address));
  for (const bound of needed.bindUdp ?? []) {
    const socket = await bindUdp(bound);
    for (const address of needed.sendTo ?? []) await sendTo(socket, address, new Uint8Array(1));
    await closeUdp(socket);
  }
}

/** Returns what is known of the error of a call, or null if it has succeeded. */
async function outcome(call: () => Promise<void>): Promise<unknown> {
  try {
    await call();
    return null;
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    const { kind, operation, message, permission } = error;
    return { kind, operation, message, permission };
  }
}

const required = await outcome(() => requirePermissions(needed));
const used = await outcome(useAll);
console.log(JSON.stringify({ required, used }));
