/** The worker that runs on Bun, with Bun's own API, and with this package. */
import { bun } from "../../contenders/bun.ts";
import { ours } from "../../contenders/ours.ts";
import { runWorker } from "../../contenders/worker.ts";

await runWorker({ bun, ours });
