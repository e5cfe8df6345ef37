/**
 * Echoes on a Unix socket until it is killed, and prints `ready` when it listens.
 *
 *     unix_echo.ts PATH
 */
import { listen, send, serve } from "../../../mod.ts";

serve(await listen({ path: Deno.args[0] }), async (connection) => {
  for await (const bytes of connection) await send(connection, bytes);
});
console.log("ready");
