/**
 * A member of the line chat: sends what you type, prints what the others say.
 *
 *     deno run --allow-net chat_client.ts 127.0.0.1:7000
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { closeWrite, connect, SocketError } from "../mod.ts";
import { addressOf } from "./arguments.ts";

const connection = await connect(addressOf(Deno.args[0] ?? "127.0.0.1:7000"), {
  timeout: 5000,
});

// The streams are views on the connection: when the input ends, only the sending side ends.
let typed = false;
const typing = (async () => {
  const writer = connection.writable.getWriter();
  for await (const bytes of Deno.stdin.readable) await writer.write(bytes);
  writer.releaseLock();
  await closeWrite(connection);
  typed = true;
})();

// Where it fails, the loop below hears of that as well.
typing.catch(() => {});

try {
  for await (const bytes of connection) await Deno.stdout.write(bytes);
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  console.error(error.message);
  Deno.exit(1);
}
if (!typed) console.error("the server has ended the chat");
// Even while somebody may still type.
Deno.exit(typed ? 0 : 1);
