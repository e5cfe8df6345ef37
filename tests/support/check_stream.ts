import { deadline } from "@std/async";
import { CONNECTION_ROWS } from "../../testing/check_connection.ts";
import { type Random, withSeed } from "./random.ts";
import { type StreamKind, swapped } from "./stream_kinds.ts";

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
  for (const { what, run } of CONNECTION_ROWS) {
    if (leftOut.some((beginning) => what.startsWith(beginning))) continue;
    Deno.test(`${name}: ${what}`, () =>
      withSeed((random) => deadline(run(makeKind(random), random), ROW_TIMEOUT_MS)));
    Deno.test(`${name}, other direction: ${what}`, () =>
      withSeed((random) => deadline(run(swapped(makeKind(random)), random), ROW_TIMEOUT_MS)));
  }
}
