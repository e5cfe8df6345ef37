/**
 * A name server for tests. The queried name determines its answer:
 *
 * - `IPV4-IPV4.hosts.test`, dashes for dots: these addresses
 * - `IPV4-IPV4.moves.test`: the first address, and after that answer the second one
 * - `MS.slow.test`: 10.77.0.2, after MS milliseconds
 * - `dead.test`: no answer
 * - `broken.test`: a failure (SERVFAIL)
 * - anything else: no such name (NXDOMAIN)
 *
 * name_server.ts HOST
 */
import { bindUdp, type Datagram, sendTo } from "../../../mod.ts";

const A = 1;
const SERVER_FAILED = 2;
const NO_SUCH_NAME = 3;
const HEADER = 12;

interface Question {
  readonly name: string;
  readonly type: number;
  /** The header and the question, which the answer repeats. */
  readonly bytes: Uint8Array;
}

interface Answer {
  readonly addresses?: readonly string[];
  readonly code?: number;
  readonly delay?: number;
}

function read(bytes: Uint8Array): Question {
  const labels: string[] = [];
  let at = HEADER;
  for (let length = bytes[at]; length > 0; length = bytes[at]) {
    labels.push(new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return {
    name: labels.join("."),
    type: bytes[at + 1] << 8 | bytes[at + 2],
    bytes: bytes.slice(0, at + 5),
  };
}

/** Names that were asked for, and have moved since. */
const moved = new Set<string>();

function answerTo(name: string, type: number): Answer | undefined {
  const hosts = /^(.*)\.hosts\.test$/.exec(name);
  if (hosts !== null) return { addresses: addressesIn(hosts[1]) };
  const moves = /^(.*)\.moves\.test$/.exec(name);
  if (moves !== null) {
    const address = addressesIn(moves[1])[moved.has(name) ? 1 : 0];
    if (type === A) moved.add(name);
    return { addresses: [address] };
  }
  const slow = /^(\d+)\.slow\.test$/.exec(name);
  if (slow !== null) return { addresses: ["10.77.0.2"], delay: Number(slow[1]) };
  if (name === "dead.test") return undefined;
  return { code: name === "broken.test" ? SERVER_FAILED : NO_SUCH_NAME };
}

/** Reads the IPv4 addresses of a name, with dashes for dots. */
function addressesIn(label: string): string[] {
  const octets = label.split("-");
  const addresses: string[] = [];
  for (let at = 0; at < octets.length; at += 4) addresses.push(octets.slice(at, at + 4).join("."));
  return addresses;
}

function encode({ bytes, type }: Question, { addresses = [], code = 0 }: Answer): Uint8Array {
  // The answer to AAAA says that the name exists, but has no record of this type.
  const records = (type === A ? addresses : []).flatMap((address) => {
    // A record: a pointer to the name of the question, A, IN, a TTL of 0 s, 4 bytes.
    return [0xc0, HEADER, 0, A, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split(".").map(Number)];
  });
  const encoded = new Uint8Array([...bytes, ...records]);
  encoded.set([0x81, 0x80 | code, 0, 1, 0, records.length / 16, 0, 0, 0, 0], 2);
  return encoded;
}

await using socket = await bindUdp({ host: Deno.args[0], port: 53 });

async function serve({ from, bytes }: Datagram): Promise<void> {
  const question = read(bytes);
  const answer = answerTo(question.name, question.type);
  if (answer === undefined) return;
  if (answer.delay !== undefined) await new Promise((resolve) => setTimeout(resolve, answer.delay));
  await sendTo(socket, from, encode(question, answer));
}

console.log("ready");
for await (const datagram of socket) void serve(datagram);
