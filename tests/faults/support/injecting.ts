import { assertEquals } from "@std/assert";
import type { SocketErrorKind } from "../../../mod.ts";
import { strace } from "../../system/support/strace.ts";
import type { Host } from "./host.ts";

/** An errno, the kind of its error, and its `retryable`. */
export type Meaning = readonly [errno: string, kind: SocketErrorKind, retryable: boolean];

/**
 * Makes a system call fail or behave differently. `how` and `when` are in the syntax of strace. Only the calls of the
 * main thread change, which has all the sockets. Another thread uses the same calls for signals, and the runtime ends
 * the process if they fail.
 */
export async function inject(
  call: string,
  how: string,
  when = "1",
): Promise<{ under: string[] }> {
  const under = await strace("-e", `trace=${call}`, "-e", `inject=${call}:${how}:when=${when}`);
  return { under: under.filter((word) => word !== "-f") };
}

export function assertInjected(host: Host, times = 1): void {
  assertEquals(host.errors.match(/\(INJECTED\)/g)?.length ?? 0, times, host.errors);
}

/** Runs a function for each item, four at a time. Each run starts a runtime under strace and mostly waits. */
export async function forEach<T>(
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: 4 }, worker));
}
