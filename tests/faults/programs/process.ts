/** What a process still has at its end, beyond what it had in the beginning. */
export interface Leftovers {
  readonly unhandled: readonly string[];
  readonly descriptors: readonly string[];
}

/**
 * All that the process has open, but for the pair of Unix sockets by which the runtime hears of signals: it opens
 * them when it first needs them.
 */
async function descriptors(): Promise<string[]> {
  const unix = await Deno.readTextFile("/proc/net/unix");
  const targets: string[] = [];
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => undefined);
    // The directory itself is open while it is read.
    if (target === undefined || target.startsWith("/proc/")) continue;
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode === undefined || !unix.includes(` ${inode}`)) targets.push(target);
  }
  return targets.sort();
}

/** What is in the one list and not in the other, as often as it is there more often. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const rest = [...list];
  for (const other of others) {
    const at = rest.indexOf(other);
    if (at >= 0) rest.splice(at, 1);
  }
  return rest;
}

/** What a host says about its own process. */
export function processCommands() {
  const unhandled: string[] = [];
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    unhandled.push(Deno.inspect(event.reason));
  });
  let before: string[] = [];

  return {
    /** The runtime opens its signal pipe when it first needs it, and ends where it cannot. */
    openSignals: () => Deno.addSignalListener("SIGUSR1", () => {}),
    /** Notes what it has before it opens anything, its own input and output among it. */
    begin: async () => {
      before = await descriptors();
    },
    memory: () => Deno.memoryUsage().rss,
    /** Which sockets it has now. */
    descriptors,
    /**
     * The runtime lets go of a descriptor when its event loop comes round, the system's resolver of its own when
     * it gives up, whoever has stopped waiting meanwhile.
     */
    async leftovers(): Promise<Leftovers> {
      let left: string[] = [];
      for (let turn = 0; turn < 1000; turn++) {
        left = without(await descriptors(), before);
        if (left.length === 0) break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return { unhandled, descriptors: left };
    },
  };
}
