/**
 * Errors of a missing permission for the net on Node, which has one for all hosts. Node 24 and before has none, and Bun
 * has no permissions at all.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";

interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly permission?: unknown;
}

const PROGRAM = fileURLToPath(new URL("programs/use_net.ts", import.meta.url));
const onNode = !("Bun" in globalThis);
const knowsNet = process.allowedNodeEnvironmentFlags?.has("--allow-net") ?? false;

/** Runs the program with permissions, and returns what each call has led to. */
async function run(flags: readonly string[]): Promise<[name: string, result: Failure | true][]> {
  const all = ["--permission", "--allow-fs-read=*", "--no-warnings", ...flags];
  const program = spawn(process.execPath, [...all, PROGRAM], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([
    text(program.stdout!),
    text(program.stderr!),
    once(program, "close"),
  ]);
  try {
    const report = Object.entries(JSON.parse(output) as Record<string, Failure | true>);
    assert(report.length > 0);
    return report;
  } catch {
    throw new Error(`no report: ${output}${errors}`);
  }
}

Deno.test({
  name: "E3: on Node, each function without permission for the net names the flag that grants it",
  ignore: !onNode || !knowsNet,
  async fn() {
    for (const [name, found] of await run([])) {
      const host = `127.0.0.1:${name.startsWith("connect") ? 1 : 0}`;
      assertEquals(found, {
        kind: "PermissionDenied",
        message: `${name} ${host}: net access is missing, run again with --allow-net`,
        permission: { name: "net", host },
      });
    }
  },
});

Deno.test({
  name: "E3: on Node, that flag is enough, and nothing is missing if there is no such flag",
  ignore: !onNode,
  async fn() {
    for (const [name, found] of await run(knowsNet ? ["--allow-net"] : [])) {
      if (!name.startsWith("connect")) assertEquals(found, true, name);
      else assertEquals((found as Failure).kind, "ConnectionRefused", name);
    }
  },
});
