/**
 * Echoes on a Unix socket until it is killed, and prints `ready` when it listens. It runs on Deno, Node and Bun.
 *
 *     unix_echo.ts PATH
 */
import process from "node:process";
import { listen, send, serve } from "../../../mod.ts";

serve(await listen({ path: process.argv[2] }), async (connection) => {
  for await (const bytes of connection) await send(connection, bytes);
});
console.log("ready");
