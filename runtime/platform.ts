import type { Backend } from "./backend.ts";
import { denoBackend } from "./deno_backend.ts";

/** The sockets of the runtime that runs this module. */
export const platform: Backend = hasDenoSockets() ? denoBackend : onFirstUse();

/** Says if the runtime has Deno's sockets. A shim of the `Deno` object for other runtimes may have other parts of it. */
function hasDenoSockets(): boolean {
  const { Deno } = globalThis as { Deno?: { listen?: unknown; permissions?: unknown } };
  return typeof Deno?.listen === "function" && Deno.permissions !== undefined;
}

/** Loads the sockets of Node and Bun when they are first needed, so that a program on Deno runs nothing of them. */
function onFirstUse(): Backend {
  const load = async (): Promise<Backend> => (await import("./node_backend.ts")).nodeBackend;
  return {
    listen: async (address, settings) => await (await load()).listen(address, settings),
    connect: async (address, settings, signal) =>
      await (await load()).connect(address, settings, signal),
    bindDatagrams: async (address, settings) =>
      await (await load()).bindDatagrams(address, settings),
  };
}
