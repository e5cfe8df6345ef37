import { assertEquals } from "@std/assert";
import type { SocketErrorKind } from "../../../mod.ts";
import { strace } from "../../system/support/strace.ts";
import type { Host } from "./host.ts";

/** What an errno is told as, and whether that can be tried again. */
export type Meaning = readonly [errno: string, kind: SocketErrorKind, retryable: boolean];

/**
 * Lets a system call do something else: `how` and `when` are of strace. Only those of the main thread, which has
 * all the sockets: another one of the runtime hears of signals with the same calls, and ends the process where
 * they fail.
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

/** Some at a time: each starts a runtime under strace, which is mostly waiting. */
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
