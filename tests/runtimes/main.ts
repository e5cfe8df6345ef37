/** Runs the tests of one file of `tests/unit` on Node or Bun: `main.ts udp/udp_test.ts [part of a title]`. */
import process from "node:process";
import { runTests } from "./deno_test.ts";
import { EXCEPTIONS } from "./exceptions.ts";

const [file, filter = ""] = process.argv.slice(2);
const runtime = "bun" in process.versions ? "bun" : "node";
const exceptions = EXCEPTIONS.filter((one) => one.file === file && one.runtimes.includes(runtime));

try {
  await import(new URL(`../unit/${file}`, import.meta.url).href);
} catch (error) {
  console.log(`FAILED to load ${file}`, error);
  process.exit(1);
}
await runTests(filter, exceptions.map(({ title }) => title));
