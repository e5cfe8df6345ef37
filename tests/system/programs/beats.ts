/**
 * Connects, and then answers each line, or pings a silent server and prints how its connection ended.
 *
 *     beats.ts PORT answer|beat
 */
import { connect, heartbeat, recvLine, send, SocketError } from "../../../mod.ts";

const [port, what] = Deno.args;
const connection = await connect({ host: "127.0.0.1", port: Number(port) });
const say = (text: string) => send(connection, new TextEncoder().encode(`${text}\n`));

if (what === "beat") {
  heartbeat(connection, { interval: 50, timeout: 300, ping: () => say("PING") });
}
try {
  while (await recvLine(connection) !== null) if (what === "answer") await say("PONG");
  console.log("end of stream");
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  console.log(error.kind);
}
Deno.exit(0);
