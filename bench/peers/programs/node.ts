/** Takes part on Node, with its own `node:net` and `node:dgram`. */
import { takePart } from "../../sides/contestant.ts";
import { corked, node } from "../../sides/node.ts";

await takePart({ node, corked });
