/**
 * Sends lines to an echo server and prints what comes back, over TCP and then over UDP:
 *
 *     deno run --allow-net echo_client.ts 127.0.0.1:7777 hello world
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { bindUdp, closeWrite, connect, formatAddress, recvFrom, send, sendTo } from "../mod.ts";
import { exitWithProblem, readAddress } from "./arguments.ts";

const [target, ...words] = Deno.args;
if (target === undefined || words.length === 0) {
  exitWithProblem("usage: echo_client.ts HOST:PORT WORD...");
}
const address = readAddress(target);
const message = new TextEncoder().encode(words.join(" "));

{
  await using connection = await connect(address, { timeout: 5000 });
  await send(connection, message);
  // The server returns all that it got before our end of stream, then ends its side.
  await closeWrite(connection);
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of connection) text += decoder.decode(bytes, { stream: true });
  console.log(`tcp ${formatAddress(connection.remoteAddress)}: ${text}`);
}

{
  // An IPv4 socket cannot send to IPv6.
  const local = address.host.includes(":") ? "::" : "0.0.0.0";
  await using socket = await bindUdp({ host: local, port: 0 });
  let answered = false;
  for (let attempt = 1; attempt <= 3 && !answered; attempt++) {
    await sendTo(socket, address, message);
    // A datagram or its answer may be lost: wait a while, then send again.
    const answer = await recvFrom(socket, { timeout: 1000 }).catch(() => undefined);
    if (answer === undefined) continue;
    console.log(`udp ${formatAddress(answer.from)}: ${new TextDecoder().decode(answer.bytes)}`);
    answered = true;
  }
  if (!answered) {
    console.error(`udp ${formatAddress(address)}: no answer to 3 datagrams`);
    Deno.exit(1);
  }
}
