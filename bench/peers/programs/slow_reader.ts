/**
 * Sends to a peer that takes nothing until the queue is full, and prints how much memory that took, and
 * the limit: `tcpPort`.
 */
import { connect, send } from "../../../mod.ts";
import { HOST } from "../../sides/work.ts";

const NOTHING = 110; // n
const MESSAGE = 16 * 1024;
const LIMIT = 16 * 1024 * 1024;

const connection = await connect({ host: HOST, port: Number(Deno.args[0]) });
await send(connection, Uint8Array.of(NOTHING));
const before = Deno.memoryUsage().rss;
for (let full = false; !full;) {
  // The queue drains into the kernel until that is full as well.
  send(connection, new Uint8Array(MESSAGE).fill(1)).catch(() => full = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
}
console.log(Deno.memoryUsage().rss - before, LIMIT);
Deno.exit();
