/**
 * A member of the line chat: sends what you type, prints what the others say.
 *
 *     deno run --allow-net chat_client.ts 127.0.0.1:7000
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { closeWrite, connect, parseAddress } from "../mod.ts";

await using connection = await connect(parseAddress(Deno.args[0] ?? "127.0.0.1:7000"), {
  timeout: 5000,
});

// The streams are views on the connection: when the input ends, only the sending side ends.
const typed = (async () => {
  const writer = connection.writable.getWriter();
  for await (const bytes of Deno.stdin.readable) await writer.write(bytes);
  writer.releaseLock();
  await closeWrite(connection);
})();

for await (const bytes of connection) await Deno.stdout.write(bytes);
await typed;
