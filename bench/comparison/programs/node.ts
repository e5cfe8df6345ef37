/** The worker that runs on Node, with `node:net` and `node:dgram`, and with this package. */
import { runWorker } from "../../contenders/worker.ts";
import { corked, node } from "../../contenders/node.ts";
import { ours } from "../../contenders/ours.ts";

await runWorker({ node, corked, ours });
