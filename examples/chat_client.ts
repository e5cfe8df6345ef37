/**
 * A member of the line chat. It sends the lines that you type, and prints those of the others.
 *
 *     deno run --allow-net chat_client.ts 127.0.0.1:7000
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { closeWrite, connect, SocketError } from "../mod.ts";
import { readAddress } from "./arguments.ts";

const connection = await connect(readAddress(Deno.args[0] ?? "127.0.0.1:7000"), {
  timeout: 5000,
});

// At the end of the input only the sending side ends: the others may still say something.
let typed = false;
const typing = (async () => {
  const writer = connection.writable.getWriter();
  for await (const bytes of Deno.stdin.readable) await writer.write(bytes);
  writer.releaseLock();
  await closeWrite(connection);
  typed = true;
})();

// If it fails, the loop below fails as well.
typing.catch(() => {});

try {
  for await (const bytes of connection) await Deno.stdout.write(bytes);
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  console.error(error.message);
  Deno.exit(1);
}
if (!typed) console.error("the server has ended the chat");
// The input may still be open: it would keep the process alive.
Deno.exit(typed ? 0 : 1);
