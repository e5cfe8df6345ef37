import { deadline } from "@std/async";
import { CALL_ROWS } from "./check_stream_calls.ts";
import { ENDING_ROWS } from "./check_stream_endings.ts";
import { TRANSFER_ROWS } from "./check_stream_transfer.ts";
import { type Random, withSeed } from "./random.ts";
import { type StreamKind, swapped } from "./stream_kinds.ts";

/** One check that every kind of stream must pass. */
export interface Row {
  readonly what: string;
  run(kind: StreamKind, random: Random): Promise<void>;
}

/** A row that takes longer hangs (ms). */
const ROW_TIMEOUT_MS = 60_000;

/**
 * Registers the conformance suite for a kind of stream, in both directions. A failure names the seed of its random
 * choices.
 *
 * @param leftOut The beginnings of the titles of rows that this kind cannot pass, or not in time.
 */
export function checkStream(
  name: string,
  makeKind: (random: Random) => StreamKind,
  leftOut: readonly string[] = [],
): void {
  for (const { what, run } of [...TRANSFER_ROWS, ...CALL_ROWS, ...ENDING_ROWS]) {
    if (leftOut.some((beginning) => what.startsWith(beginning))) continue;
    Deno.test(`${name}: ${what}`, () =>
      withSeed((random) => deadline(run(makeKind(random), random), ROW_TIMEOUT_MS)));
    Deno.test(`${name}, other direction: ${what}`, () =>
      withSeed((random) => deadline(run(swapped(makeKind(random)), random), ROW_TIMEOUT_MS)));
  }
}
