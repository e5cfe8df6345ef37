/** Connects by name on a system that resolves names slowly, and prints the kinds of the errors. */
import { abort, connect, listen, SocketError } from "../../../mod.ts";

const listener = await listen({ host: "127.0.0.1", port: 0 });
const address = { host: "localhost", port: listener.address.port };

function kindOf(error: unknown): string {
  if (error instanceof SocketError) return error.kind;
  throw error;
}

const controller = new AbortController();
setTimeout(() => controller.abort(), 100);
const [timedOut, aborted] = await Promise.all([
  connect(address, { timeout: 100 }).then(() => "connected", kindOf),
  connect(address, { signal: controller.signal }).then(() => "connected", kindOf),
]);
const client = await connect(address);
abort(client);
await listener[Symbol.asyncDispose]();
console.log(JSON.stringify({ timedOut, aborted }));
