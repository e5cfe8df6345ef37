/**
 * One host of a network under test. It runs the command of each input line with the public functions, and prints the
 * result of each, all as JSON. Commands run concurrently.
 *
 * host.ts SEED
 */
import { SocketError } from "../../../mod.ts";
import { datagramCommands } from "./datagrams.ts";
import { type Failure, failureOf } from "./failure.ts";
import { linkCommands } from "./links.ts";
import { Pattern } from "./pattern.ts";
import { processCommands } from "./process.ts";
import { servingCommands } from "./serving.ts";
import { streamCommands } from "./streams.ts";
import { textLines } from "./text_lines.ts";

/** One line of input. */
export interface Order {
  readonly id: number;
  readonly command: string;
  readonly values: unknown;
}

/** One line of output. */
export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: Failure;
  /** An error that is no `SocketError`, which no public function may give. */
  readonly raw?: string;
}

/** The commands that a host can run. */
export type Commands =
  & ReturnType<typeof streamCommands>
  & ReturnType<typeof datagramCommands>
  & ReturnType<typeof servingCommands>
  & ReturnType<typeof linkCommands>
  & ReturnType<typeof processCommands>;

async function answer(commands: Commands, { id, command, values }: Order): Promise<void> {
  let reply: Reply;
  try {
    const run = commands[command as keyof Commands] as (values: unknown) => unknown;
    reply = { id, value: await run(values) };
  } catch (error) {
    reply = error instanceof SocketError
      ? { id, failure: failureOf(error) }
      : { id, raw: Deno.inspect(error) };
  }
  // Each line is one write, so that the lines of concurrent commands do not mix.
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(reply)}\n`));
}

if (import.meta.main) {
  const seed = Number(Deno.args[0]);
  const there = new Pattern(seed);
  const commands: Commands = {
    ...streamCommands(there, new Pattern(seed + 1)),
    ...datagramCommands(there),
    ...servingCommands(),
    ...linkCommands(),
    ...processCommands(),
  };
  await answer(commands, { id: 0, command: "memory", values: undefined });
  for await (const line of textLines(Deno.stdin.readable)) {
    void answer(commands, JSON.parse(line));
  }
  Deno.exit(0);
}
