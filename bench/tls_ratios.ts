/**
 * Compares TLS with the runtime's own and with Node's. All meet one peer on the runtime's own TLS:
 *
 *     deno run -A bench/tls_ratios.ts [rounds]
 */
import { makeAuthority } from "../tests/support/certificates.ts";
import { Child, MEASURED_CPU, PEER_CPU, pinned } from "./comparison/child.ts";
import { ratios } from "./comparison/report.ts";
import type { Row } from "./comparison/results.ts";
import { median } from "./comparison/rounds.ts";
import { toolchain } from "./comparison/toolchain.ts";
import { MIB } from "./rows.ts";

/** The name of all of this in `deno task bench:peers`, which measures it as well. */
export const TLS = "TLS";

const ROUNDS = 11;
/** Time for which each contender works in a round (ms). */
const MILLISECONDS = 300;

interface TlsRow {
  readonly name: string;
  readonly unit: string;
  readonly work: string;
  readonly counts: number;
  /** The targets, by contender; undefined if there is none. */
  readonly peers: Readonly<Record<string, number | undefined>>;
}

/** The contenders by their names in the report. */
const CONTENDERS: Readonly<Record<string, readonly [program: "deno" | "node", name: string]>> = {
  ours: ["deno", "ours"],
  "raw Deno": ["deno", "raw"],
  "Deno.connectTls": ["deno", "connectTls"],
  Node: ["node", "node"],
};

const ROWS: readonly TlsRow[] = [
  {
    name: "TLS: 64 KiB send, each awaited",
    unit: "MiB/s",
    work: "send",
    counts: MIB,
    peers: { "raw Deno": 0.95, Node: 1 },
  },
  {
    name: "TLS: recv of a stream (raw: fresh 64 KiB buffers)",
    unit: "MiB/s",
    work: "receive",
    counts: MIB,
    peers: { "raw Deno": 0.95, Node: 1 },
  },
  {
    name: "TLS: recvInto, one 64 KiB buffer",
    unit: "MiB/s",
    work: "receiveInto",
    counts: MIB,
    peers: { "raw Deno": 0.95 },
  },
  {
    name: "TLS: 64 B ping-pong by recvInto, one buffer",
    unit: "round trips/s",
    work: "echo",
    counts: 1,
    peers: { "raw Deno": 0.95, Node: undefined },
  },
  {
    name: "TLS: connect, handshake, a byte each way, abort",
    unit: "connections/s",
    work: "connect",
    counts: 1,
    peers: { "Deno.connectTls": 2, "raw Deno": undefined, Node: undefined },
  },
];

/** @param node Path of Node. */
export async function measureTls(node: string, rounds: number = ROUNDS): Promise<Row[]> {
  const folder = await Deno.makeTempDir({ prefix: "sockets_bench_" });
  const { ca, server } = await makeAuthority();
  const files = { ca: ca.cert, cert: server.cert, key: server.key };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${name}.pem`, text);
  }
  const program = (name: string) =>
    new URL(`comparison/programs/${name}.ts`, import.meta.url).pathname;
  const deno = [Deno.execPath(), "run", "-A"];
  const peerFiles = [`${folder}/cert.pem`, `${folder}/key.pem`];
  try {
    await using peer = new Child(pinned(PEER_CPU, [...deno, program("tls_peer"), ...peerFiles]));
    const port = await peer.line();
    const worker = (command: string[]) =>
      new Child(pinned(MEASURED_CPU, [...command, program("tls_worker"), `${folder}/ca.pem`]));
    await using onDeno = worker(deno);
    await using onNode = worker([node]);
    const programs = { deno: onDeno, node: onNode };
    const rate = async (contender: string, { work, counts }: TlsRow): Promise<number> => {
      const [program, name] = CONTENDERS[contender];
      const answer = await programs[program].ask(`${name} ${work} ${MILLISECONDS} ${port}`);
      const [amount, elapsed] = answer.split(" ").map(Number);
      if (Number.isNaN(amount)) throw new Error(`${contender}, ${work}: ${answer}`);
      return amount / elapsed * 1000 / counts;
    };
    const results: Row[] = [];
    for (const row of ROWS) results.push(await measureInTurn(row, rounds, rate));
    return results;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Measures the contenders one after the other, and reverses the order after each round. */
async function measureInTurn(
  row: TlsRow,
  rounds: number,
  rate: (contender: string, row: TlsRow) => Promise<number>,
): Promise<Row> {
  const contenders = ["ours", ...Object.keys(row.peers)];
  const rates: Record<string, number[]> = {};
  // The first round only lets the code be optimised.
  for (let round = -1; round < rounds; round++) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const measured = await rate(contender, row);
      if (round >= 0) (rates[contender] ??= []).push(measured);
    }
  }
  return {
    name: row.name,
    unit: row.unit,
    rounds,
    rate: median(rates.ours),
    peers: Object.entries(row.peers).map(([peer, target]) => {
      const found = rates.ours.map((ours, round) => ours / rates[peer][round]);
      return {
        peer,
        rate: median(rates[peer]),
        ratio: median(found),
        lowest: Math.min(...found),
        highest: Math.max(...found),
        ...target === undefined ? {} : { target },
      };
    }),
  };
}

if (import.meta.main) {
  const rounds = Deno.args[0] === undefined ? ROUNDS : Number(Deno.args[0]);
  await using tools = await toolchain();
  console.log(ratios(await measureTls(tools.node, rounds)).join("\n\n"));
}
