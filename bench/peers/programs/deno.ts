/** Takes part on Deno: this package, the runtime's own sockets, and Node's API, in one process. */
import { takePart } from "../../sides/contestant.ts";
import { corked, node } from "../../sides/node.ts";
import { ours } from "../../sides/ours.ts";
import { raw } from "../../sides/raw.ts";
import { readable } from "../../sides/readable.ts";

await takePart({ ours, raw, readable, node, corked });
