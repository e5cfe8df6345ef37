/** The worker that runs on Bun, with Bun's own API. */
import { bun } from "../../contenders/bun.ts";
import { runWorker } from "../../contenders/worker.ts";

await runWorker({ bun });
