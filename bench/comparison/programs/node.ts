/** The worker that runs on Node, with `node:net` and `node:dgram`. */
import { runWorker } from "../../contenders/worker.ts";
import { corked, node } from "../../contenders/node.ts";

await runWorker({ node, corked });
