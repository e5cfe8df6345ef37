import { deadline } from "@std/async";
import { CALL_ROWS } from "./check_stream_calls.ts";
import { ENDING_ROWS } from "./check_stream_endings.ts";
import { TRANSFER_ROWS } from "./check_stream_transfer.ts";
import { type StreamKind, swapped } from "./stream_kinds.ts";

/** One thing that must hold of every kind of stream. */
export interface Row {
  readonly what: string;
  run(kind: StreamKind): Promise<void>;
}

/** What has not ended by then hangs. */
const CAP = 60_000;

/** Registers the conformance suite for a kind of stream, in both directions. */
export function checkStream(kind: StreamKind): void {
  for (const each of [kind, swapped(kind)]) {
    for (const { what, run } of [...TRANSFER_ROWS, ...CALL_ROWS, ...ENDING_ROWS]) {
      Deno.test(`${each.name}: ${what}`, () => deadline(run(each), CAP));
    }
  }
}
