/**
 * Accepts clients of its own, one after the other, by iterating or by calling `accept()` repeatedly. It prints the
 * number of clients and the failures as JSON.
 */
import { abort, accept, connect, listen, SocketError } from "../../../mod.ts";

const [how, clients] = Deno.args;
const listener = await listen({ host: "127.0.0.1", port: 0 });
const failures: string[] = [];
let accepted = 0;

async function* bare() {
  for (;;) {
    try {
      yield await accept(listener);
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      failures.push(`${error.kind} ${error.code}`);
    }
  }
}

const connecting = (async () => {
  for (let client = 0; client < Number(clients); client++) {
    abort(await connect(listener.address));
  }
})();
for await (const connection of how === "iterate" ? listener : bare()) {
  abort(connection);
  if (++accepted === Number(clients)) break;
}
await connecting;
await listener[Symbol.asyncDispose]();
console.log(JSON.stringify({ accepted, failures }));
