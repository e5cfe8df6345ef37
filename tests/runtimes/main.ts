/** Runs the tests of one file on Node or Bun: `main.ts /path/to/udp_test.ts [part of a title]`. */
import process from "node:process";
import { runTests } from "./deno_test.ts";

const [file, filter = ""] = process.argv.slice(2);
try {
  await import(file);
} catch (error) {
  console.log(`FAILED to load ${file}`, error);
  process.exit(1);
}
await runTests(filter, () => false);
