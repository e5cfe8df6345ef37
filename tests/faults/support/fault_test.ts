import { Network, type NetworkOptions } from "./network.ts";
import { SEED } from "./run.ts";

/**
 * Registers a test with a network of its own. Afterwards nothing may be left of it: no socket, no
 * descriptor, no rejection that nobody heard of.
 */
export function faultTest(
  name: string,
  run: (network: Network) => Promise<void>,
  options: NetworkOptions = {},
): void {
  Deno.test(name, async () => {
    await using network = await Network.make(options);
    try {
      await run(network);
      await network.proveClean();
    } catch (cause) {
      throw new Error(`failed with the seed ${SEED}`, { cause });
    }
  });
}
