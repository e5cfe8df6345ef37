import { assert, assertEquals, assertMatch } from "@std/assert";
import { Example } from "./support/example.ts";

const SEED = "1064";

Deno.test("M1: another process finds the same trace for the same seed", async () => {
  const [first, again] = [
    await Example.run("register_search", "--seed", SEED),
    await Example.run("register_search", "--seed", SEED),
  ];
  assertEquals(again, first);
  assertEquals(first.code, 1);
  assertMatch(first.output, /^ +\d+\.\d{3} client:\d+ > one:7100 syn$/m);
  assert(first.output.endsWith(`\nrun it again with --seed ${SEED}\n`));
});

Deno.test("the search says that a seed shows nothing, also without the mistake", async () => {
  const quiet = await Example.run("register_search", "--seeds", "20");
  assertMatch(quiet.output, /^no failure with 20 seeds, in \d+\.\d s\n$/);
  const right = await Example.run("register_search", "--seed", SEED, "--right");
  assertMatch(right.output, /^no failure with 1 seeds, in/);
  assertEquals([quiet.code, right.code], [0, 0]);
});

Deno.test("the search refuses a seed that is no number", async () => {
  await using example = Example.start("register_search", "--seed", "x");
  assertEquals([await example.end(), await example.errors()], [
    2,
    "--seed is x, not a whole number\n",
  ]);
});
