/**
 * Asks a name server over UDP, and asks again when a datagram is lost:
 *
 *     deno run --allow-net dns_query.ts example.com 127.0.0.1:5353 [A|AAAA]
 *
 * dns_server.ts answers it without a network. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import { bindUdp, recvFrom, sendTo, SocketError, type UdpSocket } from "../mod.ts";
import { exitWithProblem, readAddress } from "./arguments.ts";
import { encodeQuery, isAnswerTo, readAddresses, TYPE_A, TYPE_AAAA } from "./dns_message.ts";

const ATTEMPTS = 3;
const ANSWER_TIMEOUT_MS = 1000;

/**
 * Receives the answer to this query; other datagrams are late or forged. The server's host is not compared, because
 * it may be a name, while a datagram comes from an address. A forger has to know the id, the question and our port.
 */
async function recvAnswer(socket: UdpSocket, query: Uint8Array, port: number): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  for (;;) {
    const { from, bytes } = await recvFrom(socket, { signal });
    if (from.port === port && isAnswerTo(query, bytes)) return bytes;
  }
}

/** Writes a query with a random id, which nobody can guess. */
function makeQuery(name: string, type: number): Uint8Array {
  try {
    return encodeQuery(crypto.getRandomValues(new Uint16Array(1))[0], name, type);
  } catch (error) {
    exitWithProblem((error as Error).message);
  }
}

const [name, where, kind = "A"] = Deno.args;
if (name === undefined || where === undefined) {
  exitWithProblem("usage: dns_query.ts NAME SERVER:PORT [A|AAAA]");
}
const type = ({ A: TYPE_A, AAAA: TYPE_AAAA } as Record<string, number>)[kind];
if (type === undefined) exitWithProblem(`the type is A or AAAA, not "${kind}"`);
const server = readAddress(where);
const local = server.host.includes(":") ? "::" : "0.0.0.0";
await using socket = await bindUdp({ host: local, port: 0 });
let answer: Uint8Array | undefined;
for (let attempt = 1; attempt <= ATTEMPTS && answer === undefined; attempt++) {
  const query = makeQuery(name, type);
  await sendTo(socket, server, query);
  try {
    answer = await recvAnswer(socket, query, server.port);
  } catch (error) {
    if (!(error instanceof SocketError) || error.kind !== "Aborted") throw error;
    console.error(`no answer from ${where}, attempt ${attempt} of ${ATTEMPTS}`);
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
