/** Runs the tests of one file of `tests/unit` on Node or Bun: `main.ts udp/udp_test.ts [part of a title]`. */
import process from "node:process";
import { runTests } from "./deno_test.ts";
import { EXCEPTIONS } from "./exceptions.ts";

const [file, filter = ""] = process.argv.slice(2);
const names: readonly string[] = "bun" in process.versions
  ? ["bun"]
  : ["node", `node${process.versions.node.split(".")[0]}`];
const exceptions = EXCEPTIONS.filter((one) =>
  one.file === file && one.runtimes.some((name) => names.includes(name))
);

try {
  await import(new URL(`../unit/${file}`, import.meta.url).href);
} catch (error) {
  console.log(`FAILED to load ${file}`, error);
  process.exit(1);
}
await runTests(filter, exceptions.map(({ title }) => title));
