/**
 * Answers DNS questions for the names it was given:
 *
 *     deno run --allow-net dns_server.ts 127.0.0.1:5353 example.com=192.0.2.1 …
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { bindUdp, formatAddress, parseAddress, sendTo } from "../mod.ts";
import { encodeAnswer, readQuestion, TYPE_A } from "./dns_message.ts";

const [where = "127.0.0.1:5353", ...entries] = Deno.args;
const names = new Map(entries.map((entry) => entry.split("=", 2) as [string, string]));

await using socket = await bindUdp(parseAddress(where));
console.log(`answering on ${formatAddress(socket.address)}`);
for await (const { from, bytes } of socket) {
  try {
    const { name, type } = readQuestion(bytes);
    await sendTo(socket, from, encodeAnswer(bytes, type === TYPE_A ? names.get(name) : undefined));
  } catch (error) {
    // Anybody can send anything to a UDP port: it must not end the server.
    console.error(`${formatAddress(from)}: ${error instanceof Error ? error.message : error}`);
  }
}
