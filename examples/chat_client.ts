/**
 * A member of the line chat. It sends the lines that you type, and prints those of the others.
 *
 *     deno run --allow-net chat_client.ts 127.0.0.1:7000
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import process from "node:process";
import { closeWrite, connect, SocketError } from "../mod.ts";
import { commandArguments, readAddress } from "./arguments.ts";

const connection = await connect(readAddress(commandArguments()[0] ?? "127.0.0.1:7000"), {
  timeout: 5000,
});

// At the end of the input only the sending side ends: the others may still say something.
let typed = false;
const typing = (async () => {
  const writer = connection.writable.getWriter();
  for await (const bytes of process.stdin) await writer.write(bytes);
  writer.releaseLock();
  await closeWrite(connection);
  typed = true;
})();

// If it fails, the loop below fails as well.
typing.catch(() => {});

try {
  for await (const bytes of connection) process.stdout.write(bytes);
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  console.error(error.message);
  process.exit(1);
}
if (!typed) console.error("the server has ended the chat");
// The input may still be open: it would keep the process alive.
process.exit(typed ? 0 : 1);
