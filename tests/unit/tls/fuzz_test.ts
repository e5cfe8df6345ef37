import { assertEquals } from "@std/assert";
import { campaign, errorOf, missingOutcomes } from "../../fuzz/campaign.ts";
import { makeTlsTargets } from "../../fuzz/all_targets.ts";
import { cases } from "../../fuzz/cases.ts";
import { readWorstCases } from "../../fuzz/growth.ts";
import { Random } from "../../support/random.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

const INPUTS = 10_000;

for (const target of await makeTlsTargets()) {
  Deno.test(`T3: ${target.name}: no bytes before or during a handshake get in, hang it or end the process`, async () => {
    using unhandled = watchUnhandled();
    const { seed } = new Random();
    const result = await campaign(target, Math.ceil(INPUTS / (target.slowness ?? 1)), seed);
    const { finding } = result;
    if (finding !== undefined) {
      const hex = finding.input.toHex();
      throw new Error(`seed ${seed}, input ${hex || "(empty)"}`, { cause: finding.error });
    }
    assertEquals(missingOutcomes(target, result), [], `seed ${seed}`);
    assertEquals(await unhandled.seen(), []);
  });

  Deno.test(`${target.name} keeps its promises on inputs that once broke them`, async () => {
    for (const { hex, why } of cases[target.name] ?? []) {
      const cause = await errorOf(target, Uint8Array.fromHex(hex));
      if (cause !== undefined) throw new Error(`${hex}: ${why}`, { cause });
    }
  });

  if (target.worst.length === 0) continue;
  Deno.test(`F5: ${target.name} reads its worst cases in linear time`, async () => {
    await readWorstCases(target);
  });
}
