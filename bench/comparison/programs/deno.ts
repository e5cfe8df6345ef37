/** The worker that runs on Deno: this package, the runtime's own sockets, and Node's API, in one process. */
import { runWorker } from "../../contenders/worker.ts";
import { corked, node } from "../../contenders/node.ts";
import { oneByOne, ours } from "../../contenders/ours.ts";
import { raw, rawFresh } from "../../contenders/raw.ts";
import { readable } from "../../contenders/readable.ts";

await runWorker({ ours, oneByOne, raw, rawFresh, readable, node, corked });
