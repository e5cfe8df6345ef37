/**
 * Answers DNS questions for the names it was given:
 *
 *     deno run --allow-net dns_server.ts 127.0.0.1:5353 example.com=192.0.2.1 …
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { bindUdp, formatAddress, sendTo } from "../mod.ts";
import { exitWithProblem, readAddress } from "./arguments.ts";
import { encodeAnswer, isQuery, readQuestion, TYPE_A } from "./dns_message.ts";

const [where = "127.0.0.1:5353", ...entries] = Deno.args;
const names = new Map(entries.map(readEntry));

/** Reads an entry such as `example.com=192.0.2.1`. Case makes no difference in names. */
function readEntry(entry: string): [name: string, address: string] {
  const [, name, address] = /^([^=]+?)\.?=(\d+\.\d+\.\d+\.\d+)$/.exec(entry) ?? [];
  if (address?.split(".").every((byte) => Number(byte) <= 255)) {
    return [name.toLowerCase(), address];
  }
  exitWithProblem(
    `an entry is a name and an IPv4 address, such as example.com=192.0.2.1, not "${entry}"`,
  );
}

await using socket = await bindUdp(readAddress(where));
console.log(`answering on ${formatAddress(socket.address)}`);
for await (const { from, bytes } of socket) {
  if (!isQuery(bytes)) continue;
  try {
    const { name, type } = readQuestion(bytes);
    const address = type === TYPE_A ? names.get(name.toLowerCase()) : undefined;
    await sendTo(socket, from, encodeAnswer(bytes, address));
  } catch (error) {
    // Anybody can send anything to a UDP port, and it must not end the server.
    console.error(`${formatAddress(from)}: ${error instanceof Error ? error.message : error}`);
  }
}
