import { assert, assertEquals, assertMatch } from "@std/assert";
import denoJson from "../../deno.json" with { type: "json" };
import { publishedFiles } from "../../tools/_manifest.ts";
import { type CommandResult, runDeno } from "../../tools/_run.ts";
import { serveRegistry } from "./support/jsr_registry.ts";
import { publishDryRun, readPublished, readStandIns } from "./support/published_files.ts";

const CONSUMER = new URL("support/consumer.ts", import.meta.url);

/** Runs the consumer with a folder and a cache of its own: only the registry has the packages. */
async function consume(
  args: readonly string[],
): Promise<CommandResult & { requests: readonly string[] }> {
  const folder = await Deno.makeTempDir({ prefix: "published_package_" });
  try {
    await using registry = await serveRegistry([await readPublished(), ...await readStandIns()]);
    await Deno.copyFile(CONSUMER, `${folder}/consumer.ts`);
    // The stand-ins import an npm package, which comes from this machine's cache.
    await Deno.mkdir(`${folder}/cache`);
    await Deno.symlink(await npmCache(), `${folder}/cache/npm`);
    const result = await runDeno(args, {
      cwd: folder,
      env: { DENO_DIR: `${folder}/cache`, JSR_URL: registry.url, NO_COLOR: "1" },
      timeout: 60_000,
    });
    return { ...result, requests: registry.requests };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function npmCache(): Promise<string> {
  return JSON.parse((await runDeno(["info", "--json"])).stdout).npmCache;
}

Deno.test("publishing uploads what the manifest selects and nothing else", async () => {
  assertEquals(await publishDryRun(), await publishedFiles());
});

for (const flags of [[], ["--unstable-net"]]) {
  const command = ["deno run --no-prompt --allow-net", ...flags].join(" ");
  Deno.test(`the published package does TCP and UDP under ${command}`, async () => {
    const { success, output, stdout, requests } = await consume(
      ["run", "--no-prompt", "--allow-net", ...flags, "consumer.ts"],
    );
    assert(success, output);
    assertEquals(JSON.parse(stdout), {
      tcp: "hello",
      udp: "hello",
      failure: "ConnectionRefused",
      frames: ["hello", "hello"],
      unstable: flags.length > 0,
    });
    for (const entry of Object.values(denoJson.exports)) {
      const path = `/${denoJson.name}/${denoJson.version}${entry.slice(1)}`;
      assert(requests.includes(path), requests.join("\n"));
    }
  });
}

Deno.test("a program that imports the published package passes the type check", async () => {
  const { success, output } = await consume(["check", "--all", "consumer.ts"]);
  assert(success, output);
});

Deno.test("a program that imports the package downloads single files of @std/bytes", async () => {
  const { success, output, requests } = await consume(["eval", "import 'jsr:@aivi/sockets'"]);
  assert(success, output);
  const std = requests.filter((path) => path.startsWith("/@std/") && path.endsWith(".ts"));
  assert(std.length > 0);
  for (const path of std) assertMatch(path, /^\/@std\/bytes\/[\d.]+\/(concat|equals)\.ts$/);
});
