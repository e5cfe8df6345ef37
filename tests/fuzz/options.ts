/** Reads the options of a command, `--name value`. An unknown name is an error. */
export function optionsOf(args: readonly string[], names: readonly string[]): Map<string, string> {
  const options = new Map<string, string>();
  for (let at = 0; at < args.length; at += 2) {
    const name = args[at].replace(/^--/, "");
    const value = args[at + 1];
    if (!args[at].startsWith("--") || !names.includes(name) || value === undefined) {
      throw new Error(`${args[at]}: the options are ${names.map((n) => `--${n} X`).join(", ")}`);
    }
    options.set(name, value);
  }
  return options;
}

/** Reads an option that is a number of at least 0. */
export function numberOf(
  options: ReadonlyMap<string, string>,
  name: string,
  fallback: number,
): number {
  const text = options.get(name);
  const number = text === undefined ? fallback : Number(text);
  if (Number.isFinite(number) && number >= 0) return number;
  throw new Error(`--${name} ${text} is not a number of at least 0`);
}
