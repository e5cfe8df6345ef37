import { useErrnoNames } from "../core/error_mapping.ts";
import { useTimerReferences } from "../core/timer.ts";
import type { Backend } from "./backend.ts";
import { denoBackend } from "./deno_backend.ts";
import { onDeno } from "./permissions.ts";

/** The sockets of the runtime that runs this module. */
export const platform: Backend = onDeno ? denoBackend : onFirstUse();

/** Loads the sockets of Node and Bun when they are first needed, so that a program on Deno runs nothing of them. */
function onFirstUse(): Backend {
  const load = async (): Promise<Backend> => {
    const { nodeBackend } = await import("./node_backend.ts");
    return nodeBackend;
  };
  return {
    listen: async (address, settings) => await (await load()).listen(address, settings),
    connect: async (address, settings, signal) =>
      await (await load()).connect(address, settings, signal),
    listenUnix: async (address, settings) => await (await load()).listenUnix(address, settings),
    connectUnix: async (address) => await (await load()).connectUnix(address),
    bindDatagrams: async (address, settings) =>
      await (await load()).bindDatagrams(address, settings),
  };
}

interface NodeProcess {
  getBuiltinModule(name: "node:util"): { getSystemErrorName(errno: number): string | undefined };
}

// The function loads `node:util` when an error without a code needs a name, so importing this package does not.
useErrnoNames((errno) => {
  const { process } = globalThis as unknown as { process: NodeProcess };
  return process.getBuiltinModule("node:util").getSystemErrorName(-errno);
});

if (onDeno) {
  useTimerReferences({
    ref: (id) => Deno.refTimer(id),
    unref: (id) => Deno.unrefTimer(id),
  });
}
