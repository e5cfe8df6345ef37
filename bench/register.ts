import { ROWS, type RowSpec } from "./rows.ts";
import { ours } from "./sides/ours.ts";
import { raw } from "./sides/raw.ts";
import type { Work, WorkName } from "./sides/work.ts";
import { startPeer } from "./start_peer.ts";

/** A benchmark has no end, and a flood would go on behind the others: datagrams are asked for instead. */
const INSTEAD: Readonly<Partial<Record<WorkName, WorkName>>> = { recv_from: "recv_from_asked" };

function works({ work: name }: RowSpec): boolean {
  return name in ours && name in raw;
}

/** A group for each row, with the runtime's own sockets as its baseline. */
export async function register(isWanted: (row: RowSpec) => boolean): Promise<void> {
  const peer = await startPeer();
  for (const row of ROWS.filter((row) => works(row) && isWanted(row))) {
    const { name: group, work, options } = row;
    const name = INSTEAD[work] ?? work;
    for (const [title, side] of [["raw Deno", raw], ["@aivi/sockets", ours]] as const) {
      let made: Work | undefined;
      Deno.bench({ name: title, group, baseline: side === raw }, async () => {
        made ??= await side[name]!(peer, options);
        await made.batch();
      });
    }
  }
}
