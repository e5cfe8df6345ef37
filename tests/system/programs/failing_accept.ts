/** Waits for a client for a while, on a system where accepting fails each time. */
import { abort, accept, connect, listen, SocketError } from "../../../mod.ts";

const listener = await listen({ host: "127.0.0.1", port: 0 });
// The system is asked only while somebody waits in the backlog.
const client = await connect(listener.address);
const kind = await accept(listener, { timeout: 2000 }).then(() => "accepted", (error) => {
  if (error instanceof SocketError) return error.kind;
  throw error;
});
abort(client);
await listener[Symbol.asyncDispose]();
console.log(JSON.stringify({ kind }));
