import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async/deadline";
import { Child } from "../../bench/comparison/child.ts";
import { ROWS } from "../../bench/rows.ts";
import { corked, node } from "../../bench/contenders/node.ts";
import { oneByOne, ours } from "../../bench/contenders/ours.ts";
import { raw, rawFresh } from "../../bench/contenders/raw.ts";
import { readable } from "../../bench/contenders/readable.ts";
import { WORK_NAMES } from "../../bench/contenders/work.ts";

/** A lost datagram would keep a work for ever. */
const ANSWER_TIMEOUT_MS = 60_000;
const PROGRAMS = new URL("../../bench/comparison/programs/", import.meta.url);

async function build(name: string, folder: string): Promise<string> {
  const program = `${folder}/${name}`;
  const source = new URL(`${name}.c`, PROGRAMS).pathname;
  const args = ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source, "-pthread"];
  const { success, stderr } = await new Deno.Command("gcc", { args }).output();
  assert(success, new TextDecoder().decode(stderr));
  return program;
}

Deno.test("bench contenders: each does all of its works against the C peer", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using peer = new Child([await build("peer", folder)]);
    const [tcp, udp] = (await peer.line()).split(" ");
    await using client = new Child([await build("client", folder)]);
    const source = new URL("deno.ts", PROGRAMS).pathname;
    await using deno = new Child([Deno.execPath(), "run", "-A", "--unstable-net", source]);
    const contenders = { ours, oneByOne, raw, rawFresh, readable, node, corked };
    const orders = Object.entries(contenders).flatMap(([contender, works]) =>
      Object.keys(works).map((work) => [deno, contender, work] as const)
    );
    const notInC = /^(echo_into|recv_from_asked|send_pieces|\w+_frames|send_to_by_dgram)$/;
    for (const work of WORK_NAMES.filter((work) => !notInC.test(work))) {
      orders.push([client, "c", work] as const);
    }
    const ask = async (program: Child, contender: string, work: string, unix: 0 | 1) => {
      const order = `${contender} ${work} 1 64 2 4 ${tcp} ${udp} ${unix}`;
      const answer = await deadline(program.ask(order), ANSWER_TIMEOUT_MS)
        .catch((cause) => {
          throw new Error(`${contender} ${work} gave no answer`, { cause });
        });
      const [amount, elapsed] = answer.split(" ").map(Number);
      assert(amount > 0 && elapsed > 0, `${contender} ${work}: ${answer}`);
    };
    for (const [program, contender, work] of orders) await ask(program, contender, work, 0);
    for (const { work, peers } of ROWS.filter(({ options }) => options.unix)) {
      assertEquals(Object.keys(peers), ["raw Deno"]);
      for (const contender of ["ours", "raw"]) await ask(deno, contender, work, 1);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("bench rows: each has a name of its own, and a work that both baselines do", () => {
  assertEquals(new Set(ROWS.map(({ name }) => name)).size, ROWS.length);
  for (const { name, work } of ROWS) assert(work in ours && work in raw, name);
});
