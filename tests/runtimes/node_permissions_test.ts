/**
 * Errors of missing permissions on Node, whose flags are others than Deno's. Each test runs a program with
 * `--permission`. Node 24 and before has no permission for the net; Bun has none at all.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";
import { SocketFolder } from "../support/unix_sockets.ts";

interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly permission?: unknown;
}

type Report = Record<string, Failure | "done">;

const PROGRAM = fileURLToPath(new URL("programs/use_path.ts", import.meta.url));
/** Files that the program itself reads. */
const READS = fileURLToPath(new URL("../../../", import.meta.url));

const onNode = !("Bun" in globalThis);
const knowsNet = process.allowedNodeEnvironmentFlags?.has("--allow-net") ?? false;
const NET = knowsNet ? ["--allow-net"] : [];

/** Runs the program with permissions, and returns what it has reported. */
async function run(path: string, flags: readonly string[]): Promise<Report> {
  const all = ["--permission", `--allow-fs-read=${READS}*`, "--no-warnings", ...flags];
  const program = spawn(process.execPath, [...all, PROGRAM, path], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, errors] = await Promise.all([
    text(program.stdout!),
    text(program.stderr!),
    once(program, "close"),
  ]);
  try {
    return JSON.parse(output);
  } catch {
    throw new Error(`no report: ${output}${errors}`);
  }
}

function messages(report: Report): Record<string, string> {
  return Object.fromEntries(
    Object.entries(report).map(([name, one]) => [name, one === "done" ? one : one.message]),
  );
}

Deno.test({
  name: "E3: on Node, a path without permission for the net is PermissionDenied",
  ignore: !onNode || !knowsNet,
  async fn() {
    await using folder = await SocketFolder.make();
    const { path } = folder.next();
    const report = await run(path, []);
    const net = "net access is missing, run again with --allow-net";
    assertEquals(messages(report), {
      connect: `connect unix:${path}: ${net}`,
      listen: `listen unix:${path}: ${net}`,
      "listen, mode": `listen unix:${path}: net and write access is missing, run again with ` +
        `--allow-net --allow-fs-write=${path}`,
      "listen, replaceStale": `listen unix:${path}: net, read and write access is missing, ` +
        `run again with --allow-net --allow-fs-read=${path} --allow-fs-write=${path}`,
    });
    for (const one of Object.values(report) as Failure[]) {
      assertEquals([one.kind, one.permission], [
        "PermissionDenied",
        { name: "net", host: `unix:${path}` },
      ]);
    }
  },
});

Deno.test({
  name: "E3: on Node, mode and replaceStale need permission for the file, and the rest does not",
  ignore: !onNode,
  async fn() {
    await using folder = await SocketFolder.make();
    const { path } = folder.next();
    const report = await run(path, NET);
    assertEquals(messages(report), {
      connect: `connect unix:${path}: no socket is there (ENOENT)`,
      listen: "done",
      "listen, mode": `listen unix:${path}: write access is missing, run again with ` +
        `--allow-fs-write=${path}`,
      "listen, replaceStale": `listen unix:${path}: read and write access is missing, run again ` +
        `with --allow-fs-read=${path} --allow-fs-write=${path}`,
    });
    assertEquals((report["listen, mode"] as Failure).permission, { name: "write", path });
    assertEquals((report["listen, replaceStale"] as Failure).permission, { name: "read", path });
    assertEquals(await folder.names(), []);
  },
});

Deno.test({
  name: "E3: on Node, granting what the errors name is enough",
  ignore: !onNode,
  async fn() {
    await using folder = await SocketFolder.make();
    const path = `${folder.path}/a b,é.sock`;
    const denied = (await run(path, []))["listen, replaceStale"] as Failure;
    const flags = denied.message.slice(denied.message.indexOf("--allow")).split(/ (?=--)/);
    assertEquals(flags.length, 2 + NET.length);
    const { connect: _, ...listens } = await run(path, flags);
    assertEquals(Object.values(listens), ["done", "done", "done"]);
    assertEquals(await folder.names(), []);
  },
});
