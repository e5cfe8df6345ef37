/** Connects, listens and binds with the permissions that it has, and prints the errors as JSON. */
import { type Address, bindUdp, connect, listen, SocketError } from "../../../mod.ts";

const address = { host: Deno.args[0], port: 9 };
const calls: Record<string, (where: Address) => Promise<unknown>> = { bindUdp, connect, listen };
const report: Record<string, unknown> = {};
for (const [name, call] of Object.entries(calls)) {
  const error: unknown = await call(address).then(() => undefined, (error) => error);
  if (!(error instanceof SocketError)) throw error;
  const { kind, message, permission } = error;
  report[name] = { kind, message, permission };
}
console.log(JSON.stringify(report));
