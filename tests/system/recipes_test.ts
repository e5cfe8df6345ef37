/** The programs in the documents: each block of code runs, and each recipe asserts something. */
import { assert, assertEquals } from "@std/assert";
import { runDeno } from "../../tools/_run.ts";

const ROOT = new URL("../../", import.meta.url);

interface Block {
  /** The title above the block. */
  readonly title: string;
  readonly code: string;
}

/** Returns the blocks of a document that can run; one that never ends is marked `ts ignore`. */
async function blocksOf(path: string): Promise<Block[]> {
  const blocks: Block[] = [];
  for (const section of (await Deno.readTextFile(path)).split(/^##* /m).slice(1)) {
    const title = section.split("\n", 1)[0];
    for (const [, code] of section.matchAll(/^```ts\n(.*?)^```$/gms)) blocks.push({ title, code });
  }
  return blocks;
}

const PAGES = ["README", "docs/recipes", "docs/codecs", "docs/errors", "docs/testing"];

Deno.test("each program in the documents passes the type check, and runs", async () => {
  const paths = PAGES.map((name) => `${name}.md`);
  // In one process, so that the types of the package are checked once.
  const args = ["test", "--doc", "--no-prompt", "--allow-net", ...paths];
  const { success, output } = await runDeno(args, { timeout: 240_000 });
  assert(success, output);
  for (const path of paths) {
    const { length } = await blocksOf(path);
    assert(length > 0, `${path} has no program`);
    const ran = output.matchAll(new RegExp(`^running 1 test from \\./${path}#`, "gm"));
    assertEquals([...ran].length, length, path);
  }
});

Deno.test("each part of the page about codecs has one program, which asserts what it shows", async () => {
  const text = await Deno.readTextFile("docs/codecs.md");
  const titles = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  const blocks = await blocksOf("docs/codecs.md");
  assertEquals(blocks.map(({ title }) => title), titles.filter((title) => title !== "Rules"));
  for (const { title, code } of blocks) {
    assert(/^ *(?:assert\w*|checkCodec)\(/m.test(code), title);
  }
});

Deno.test("each recipe has one program, which asserts what it shows", async () => {
  const text = await Deno.readTextFile("docs/recipes.md");
  const titles = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  const blocks = await blocksOf("docs/recipes.md");
  assertEquals(blocks.map(({ title }) => title), titles);
  for (const { title, code } of blocks) assert(/^ *assert\w*\(/m.test(code), title);
});

const DOCUMENTS = [
  "README",
  "ARCHITECTURE",
  "CONTRIBUTING",
  "CHANGELOG",
  "RELIABILITY",
  "SEMANTICS",
];

Deno.test("each link between documents leads to a file", async () => {
  const paths = DOCUMENTS.map((name) => `${name}.md`);
  for await (const { name } of Deno.readDir("docs")) paths.push(`docs/${name}`);
  const missing: string[] = [];
  for (const path of paths) {
    for (
      const [, target] of (await Deno.readTextFile(path)).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)
    ) {
      const found = await Deno.stat(new URL(target, new URL(path, ROOT))).catch(() => undefined);
      if (found === undefined) missing.push(`${path}: ${target}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("each recipe is in the list of recipes", async () => {
  const text = await Deno.readTextFile("docs/recipes.md");
  const listed = [...text.matchAll(/^- \[(.+)\]\(#.+\)$/gm)].map(([, title]) => title);
  const titles = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  assertEquals(listed, titles.slice(0, -1), "the last section has a link in the text");
});
