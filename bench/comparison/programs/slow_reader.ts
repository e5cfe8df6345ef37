/**
 * Sends to a peer that takes nothing until the queue is full, and prints the memory that this took and the limit, in
 * bytes. Its argument is `tcpPort`.
 */
import { connect, send } from "../../../mod.ts";
import { HOST } from "../../contenders/work.ts";

const NOTHING = 110; // n
const MESSAGE = 16 * 1024;
const LIMIT = 16 * 1024 * 1024;

const connection = await connect({ host: HOST, port: Number(Deno.args[0]) });
await send(connection, Uint8Array.of(NOTHING));
const before = Deno.memoryUsage().rss;
for (let full = false; !full;) {
  // The queue drains into the kernel's buffers until they are full as well.
  send(connection, new Uint8Array(MESSAGE).fill(1)).catch(() => full = true);
  await new Promise((resolve) => setTimeout(resolve, 0));
}
console.log(Deno.memoryUsage().rss - before, LIMIT);
Deno.exit();
