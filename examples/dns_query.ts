/**
 * Asks a name server over UDP, and asks again when a datagram is lost:
 *
 *     deno run --allow-net dns_query.ts example.com 127.0.0.1:5353 [A|AAAA]
 *
 * dns_server.ts answers it where there is no network. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import { bindUdp, recvFrom, sendTo, SocketError, type UdpSocket } from "../mod.ts";
import { addressOf, refuse } from "./arguments.ts";
import { encodeQuery, isAnswerTo, readAddresses, TYPE_A, TYPE_AAAA } from "./dns_message.ts";

const TRIES = 3;
const PATIENCE = 1000;

/**
 * The answer to this very query: others on the socket are late, or somebody's mischief. The server's host is not
 * compared, which may be a name where a datagram has an address; who guesses must know id, question and our port.
 */
async function answerTo(socket: UdpSocket, query: Uint8Array, port: number): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(PATIENCE);
  for (;;) {
    const { from, bytes } = await recvFrom(socket, { signal });
    if (from.port === port && isAnswerTo(query, bytes)) return bytes;
  }
}

/** A query with an id that nobody can know before. */
function queryFor(name: string, type: number): Uint8Array {
  try {
    return encodeQuery(crypto.getRandomValues(new Uint16Array(1))[0], name, type);
  } catch (error) {
    refuse((error as Error).message);
  }
}

const [name, where, kind = "A"] = Deno.args;
if (name === undefined || where === undefined) {
  refuse("usage: dns_query.ts NAME SERVER:PORT [A|AAAA]");
}
const type = ({ A: TYPE_A, AAAA: TYPE_AAAA } as Record<string, number>)[kind];
if (type === undefined) refuse(`the type is A or AAAA, not "${kind}"`);
const server = addressOf(where);
const local = server.host.includes(":") ? "::" : "0.0.0.0";
await using socket = await bindUdp({ host: local, port: 0 });
let answer: Uint8Array | undefined;
for (let attempt = 1; attempt <= TRIES && answer === undefined; attempt++) {
  const query = queryFor(name, type);
  await sendTo(socket, server, query);
  try {
    answer = await answerTo(socket, query, server.port);
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
