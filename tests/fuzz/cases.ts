import kept from "./cases/cases.json" with { type: "json" };

/** An input that once failed. */
export interface Case {
  readonly hex: string;
  /** What was wrong. */
  readonly why: string;
}

/** Failures of earlier runs by their target, which are tests ever since. */
export const cases: Readonly<Record<string, readonly Case[]>> = kept;

/** Keeps a failure for the tests; `deno task fuzz` may write there and nowhere else. */
export async function keepCase(target: string, { hex, why }: Case): Promise<void> {
  const file = new URL("./cases/cases.json", import.meta.url);
  const all: Record<string, Case[]> = JSON.parse(await Deno.readTextFile(file));
  const list = all[target] ??= [];
  if (list.some((known) => known.hex === hex)) return;
  list.push({ hex, why });
  await Deno.writeTextFile(file, `${JSON.stringify(all, null, 2)}\n`);
}
