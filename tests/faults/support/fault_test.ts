import { Network, type NetworkOptions } from "./network.ts";
import { SEED } from "./run.ts";

/**
 * Registers a test with a network of its own. The test fails if it leaves a socket, a descriptor or an unhandled
 * rejection behind.
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
