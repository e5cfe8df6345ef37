import { ROWS, type RowSpec } from "./rows.ts";
import { ours } from "./contenders/ours.ts";
import { raw } from "./contenders/raw.ts";
import type { Work, WorkName } from "./contenders/work.ts";
import { startPeer } from "./start_peer.ts";

/** The works that are left out. A flood ends after some seconds, and a benchmark has no end. */
const LEFT_OUT: readonly WorkName[] = ["recv_from_at_once"];
/** The works that replace others, for the same reason. */
const INSTEAD: Readonly<Partial<Record<WorkName, WorkName>>> = { recv_from: "recv_from_asked" };

function works({ work: name }: RowSpec): boolean {
  return name in ours && name in raw && !LEFT_OUT.includes(name);
}

/** Registers a group for each row, with the runtime's own sockets as the baseline. */
export async function register(isWanted: (row: RowSpec) => boolean): Promise<void> {
  const peer = await startPeer();
  for (const row of ROWS.filter((row) => works(row) && isWanted(row))) {
    const { name: group, work, options } = row;
    const name = INSTEAD[work] ?? work;
    for (const [title, contender] of [["raw Deno", raw], ["@aivi/sockets", ours]] as const) {
      let made: Work | undefined;
      Deno.bench({ name: title, group, baseline: contender === raw }, async () => {
        made ??= await contender[name]!(peer, options);
        await made.batch();
      });
    }
  }
}
