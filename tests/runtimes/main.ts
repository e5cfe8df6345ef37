/** Runs the tests of one file on Node or Bun: `main.ts ../unit/udp/udp_test.ts [part of a title]`. */
import process from "node:process";
import { runTests } from "./deno_test.ts";

const [file, filter = ""] = process.argv.slice(2);
await import(file);
await runTests(filter);
