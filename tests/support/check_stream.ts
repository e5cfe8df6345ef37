import { deadline } from "@std/async";
import { CALL_ROWS } from "./check_stream_calls.ts";
import { ENDING_ROWS } from "./check_stream_endings.ts";
import { TRANSFER_ROWS } from "./check_stream_transfer.ts";
import { type Random, withSeed } from "./random.ts";
import { type StreamKind, swapped } from "./stream_kinds.ts";

/** One thing that must hold of every kind of stream. */
export interface Row {
  readonly what: string;
  run(kind: StreamKind, random: Random): Promise<void>;
}

/** What has not ended by then hangs. */
const CAP = 60_000;

/**
 * Registers the conformance suite for a kind of stream, in both directions. A failure names the seed
 * of all that was random in it.
 *
 * @param leftOut Rows that this kind cannot keep to, or not in time, by the beginnings of what they say.
 */
export function checkStream(
  name: string,
  makeKind: (random: Random) => StreamKind,
  leftOut: readonly string[] = [],
): void {
  for (const { what, run } of [...TRANSFER_ROWS, ...CALL_ROWS, ...ENDING_ROWS]) {
    if (leftOut.some((beginning) => what.startsWith(beginning))) continue;
    Deno.test(`${name}: ${what}`, () =>
      withSeed((random) => deadline(run(makeKind(random), random), CAP)));
    Deno.test(`${name}, other direction: ${what}`, () =>
      withSeed((random) => deadline(run(swapped(makeKind(random)), random), CAP)));
  }
}
