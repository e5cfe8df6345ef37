/** Waits for a client with a timeout, on a system that fails each accept. */
import { abort, accept, connect, listen, SocketError } from "../../../mod.ts";

const listener = await listen({ host: "127.0.0.1", port: 0 });
// The runtime calls accept4(2) only while a client waits in the backlog.
const client = await connect(listener.address);
const kind = await accept(listener, { timeout: 2000 }).then(() => "accepted", (error) => {
  if (error instanceof SocketError) return error.kind;
  throw error;
});
abort(client);
await listener[Symbol.asyncDispose]();
console.log(JSON.stringify({ kind }));
