/**
 * Asks a name server over UDP, and asks again when a datagram is lost:
 *
 *     deno run --allow-net dns_query.ts example.com 127.0.0.1:5353 [A|AAAA]
 *
 * dns_server.ts answers it where there is no network. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import { bindUdp, parseAddress, recvFrom, sendTo, SocketError, type UdpSocket } from "../mod.ts";
import { encodeQuery, readAddresses, TYPE_A, TYPE_AAAA } from "./dns_message.ts";

const TRIES = 3;
const PATIENCE = 1000;

/** The answer to this very question: others on the socket are late, or somebody's mischief. */
async function answerTo(
  socket: UdpSocket,
  id: number,
  server: { host: string; port: number },
): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(PATIENCE);
  for (;;) {
    const { from, bytes } = await recvFrom(socket, { signal });
    const expected = from.host === server.host && from.port === server.port;
    if (expected && bytes.length > 12 && (bytes[0] << 8 | bytes[1]) === id) return bytes;
  }
}

const [name, where, kind = "A"] = Deno.args;
if (name === undefined || where === undefined) {
  console.error("usage: dns_query.ts NAME SERVER:PORT [A|AAAA]");
  Deno.exit(2);
}
const server = parseAddress(where);
const local = server.host.includes(":") ? "::" : "0.0.0.0";
await using socket = await bindUdp({ host: local, port: 0 });
let answer: Uint8Array | undefined;
for (let attempt = 1; attempt <= TRIES && answer === undefined; attempt++) {
  const id = crypto.getRandomValues(new Uint16Array(1))[0];
  await sendTo(socket, server, encodeQuery(id, name, kind === "AAAA" ? TYPE_AAAA : TYPE_A));
  try {
    answer = await answerTo(socket, id, server);
  } catch (error) {
    if (!(error instanceof SocketError) || error.kind !== "Aborted") throw error;
    console.error(`no answer from ${where}, attempt ${attempt} of ${TRIES}`);
  }
}
if (answer === undefined) Deno.exit(1);
try {
  const addresses = readAddresses(answer);
  console.log(addresses.length === 0 ? `${name} has no such address` : addresses.join("\n"));
} catch (error) {
  console.error(`${name}: ${error instanceof Error ? error.message : error}`);
  Deno.exit(1);
}
