import kept from "./cases/cases.json" with { type: "json" };

/** An input that once failed. */
export interface Case {
  readonly hex: string;
  /** The error. */
  readonly why: string;
}

/** The failures of earlier runs by their targets. The unit tests run them. */
export const cases: Readonly<Record<string, readonly Case[]>> = kept;

/** Saves a failure for the tests. `deno task fuzz` may write only there. */
export async function keepCase(target: string, { hex, why }: Case): Promise<void> {
  const file = new URL("./cases/cases.json", import.meta.url);
  const all: Record<string, Case[]> = JSON.parse(await Deno.readTextFile(file));
  const list = all[target] ??= [];
  if (list.some((known) => known.hex === hex)) return;
  list.push({ hex, why });
  await Deno.writeTextFile(file, `${JSON.stringify(all, null, 2)}\n`);
}
