/** The rejections and descriptors that a process has left at its end. */
export interface Leftovers {
  readonly unhandled: readonly string[];
  readonly descriptors: readonly string[];
}

/**
 * Lists the open descriptors of the process, except for Unix sockets. The runtime opens a pair of these for signals
 * when it first needs them.
 */
async function descriptors(): Promise<string[]> {
  const unix = await Deno.readTextFile("/proc/net/unix");
  const targets: string[] = [];
  for await (const { name } of Deno.readDir("/proc/self/fd")) {
    const target = await Deno.readLink(`/proc/self/fd/${name}`).catch(() => undefined);
    // The directory is open while it is read.
    if (target === undefined || target.startsWith("/proc/")) continue;
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    if (inode === undefined || !unix.includes(` ${inode}`)) targets.push(target);
  }
  return targets.sort();
}

/** Returns the items of a list without those of another. Each item of the other removes one. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const rest = [...list];
  for (const other of others) {
    const at = rest.indexOf(other);
    if (at >= 0) rest.splice(at, 1);
  }
  return rest;
}

/** Makes the commands about the host's own process. */
export function processCommands() {
  const unhandled: string[] = [];
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    unhandled.push(Deno.inspect(event.reason));
  });
  let before: string[] = [];

  return {
    /** Makes the runtime open its signal pipe now. Later, without a free descriptor, the runtime would exit. */
    openSignals: () => Deno.addSignalListener("SIGUSR1", () => {}),
    /** Records the descriptors that are open at the beginning, such as the input and the output. */
    begin: async () => {
      before = await descriptors();
    },
    memory: () => Deno.memoryUsage().rss,
    /** Lists the open descriptors. */
    descriptors,
    /**
     * Waits until everything is closed, at most 5 s, and returns the rest. The runtime closes a descriptor in a later
     * turn of its event loop. The system's resolver closes its own after it has given up, even if the call has ended.
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
