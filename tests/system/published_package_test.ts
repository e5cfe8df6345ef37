import { assert, assertEquals } from "@std/assert";
import denoJson from "../../deno.json" with { type: "json" };
import { publishedFiles } from "../../tools/_manifest.ts";
import { type CommandResult, runDeno } from "../../tools/_run.ts";
import { serveRegistry } from "./support/jsr_registry.ts";
import { publishDryRun, readPublished } from "./support/published_files.ts";

const CONSUMER = new URL("support/consumer.ts", import.meta.url);

/** Runs the consumer in a folder and with a cache of its own, so that only the registry has the package. */
async function consume(
  ...args: string[]
): Promise<CommandResult & { requests: readonly string[] }> {
  const folder = await Deno.makeTempDir({ prefix: "published_package_" });
  try {
    await using registry = await serveRegistry({
      name: denoJson.name,
      version: denoJson.version,
      exports: { ".": denoJson.exports },
      files: await readPublished(await publishDryRun()),
    });
    await Deno.copyFile(CONSUMER, `${folder}/consumer.ts`);
    const result = await runDeno([...args, "consumer.ts"], {
      cwd: folder,
      env: { DENO_DIR: `${folder}/cache`, JSR_URL: registry.url, NO_COLOR: "1" },
      timeout: 60_000,
    });
    return { ...result, requests: registry.requests };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("publishing uploads what the manifest selects and nothing else", async () => {
  assertEquals(await publishDryRun(), await publishedFiles());
});

for (const flags of [[], ["--unstable-net"]]) {
  const command = ["deno run --no-prompt --allow-net", ...flags].join(" ");
  Deno.test(`the published package does TCP and UDP under ${command}`, async () => {
    const { success, output, stdout, requests } = await consume(
      "run",
      "--no-prompt",
      "--allow-net",
      ...flags,
    );
    assert(success, output);
    assertEquals(JSON.parse(stdout), {
      tcp: "hello",
      udp: "hello",
      failure: "ConnectionRefused",
      unstable: flags.length > 0,
    });
    assert(requests.includes(`/${denoJson.name}/${denoJson.version}/mod.ts`), requests.join("\n"));
  });
}

Deno.test("a program that imports the published package passes the type check", async () => {
  const { success, output } = await consume("check", "--all");
  assert(success, output);
});
