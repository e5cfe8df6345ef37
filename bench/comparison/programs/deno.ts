/** The worker that runs on Deno: this package, the runtime's own sockets, and Node's API, in one process. */
import { runWorker } from "../../contenders/worker.ts";
import { corked, node } from "../../contenders/node.ts";
import { ours } from "../../contenders/ours.ts";
import { raw } from "../../contenders/raw.ts";
import { readable } from "../../contenders/readable.ts";

await runWorker({ ours, raw, readable, node, corked });
