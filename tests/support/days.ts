import { assert, assertEquals } from "@std/assert";
import { type Connection, observe, type SocketAddress } from "../../mod.ts";
import {
  simulate,
  type SimulatedProgram,
  type SimulateOptions,
  SimulationError,
} from "../../testing.ts";

export const SECOND_MS = 1000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
/** Time after which no packet is under way any more, with the latencies of these tests (ms). */
const LAST_PACKETS_MS = 10 * SECOND_MS;

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Returns a random whole number from `least` to `most`. In a simulation it follows the seed. */
export function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most + 1 - least));
}

/** Watches the timers of a simulation's program. The network has none: its packets are events of the clock. */
function watchTimers(): { fired(): readonly number[] } {
  const { setTimeout } = globalThis;
  let fired: number[] = [];
  globalThis.setTimeout =
    ((call: (...args: unknown[]) => void, ms: number, ...args: unknown[]) =>
      setTimeout(() => {
        fired.push(ms);
        call(...args);
      }, ms)) as typeof setTimeout;
  return {
    /** Returns the lengths of the timers that have fired since the last call. */
    fired() {
      const lengths = fired;
      fired = [];
      return lengths;
    },
  };
}

/**
 * Simulates a program, and fails if anything is left after it: a timer, a packet, a call that waits, or a connection.
 *
 * After the program no timer may fire. Then it waits for ever: if nothing is left, that is a deadlock at once which
 * names no call.
 */
export async function simulateToTheEnd(
  options: SimulateOptions,
  program: SimulatedProgram<void>,
): Promise<void> {
  const open = new Set<Connection<SocketAddress>>();
  const add = (connection: Connection<SocketAddress> | undefined): void => {
    if (connection !== undefined) open.add(connection);
  };
  using _ = observe({
    connect: ({ connection }) => add(connection),
    accept: ({ connection }) => add(connection),
    close: ({ connection }) => void open.delete(connection),
  });
  let ended: number | undefined;
  const error = await simulate(options, async (network, clock) => {
    const timers = watchTimers();
    await program(network, clock);
    timers.fired();
    await sleep(LAST_PACKETS_MS);
    assertEquals(timers.fired(), [LAST_PACKETS_MS], "timers have fired after the end (ms)");
    ended = clock.now();
    await new Promise<never>(() => {});
  }).catch((error: unknown) => error);
  if (ended === undefined) throw error;
  assert(error instanceof SimulationError, String(error));
  assertEquals(error.time, ended, `a timer or a packet was left: ${error.message}`);
  const nothing = "waits for\n- a promise that nothing in the simulation settles\n";
  assert(error.message.includes(nothing), error.message);
  assertEquals([...open].map(({ remoteAddress }) => remoteAddress), [], "connections are left");
}
