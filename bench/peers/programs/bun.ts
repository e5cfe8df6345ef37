/** Takes part on Bun, with its own API. */
import { bun } from "../../sides/bun.ts";
import { takePart } from "../../sides/contestant.ts";

await takePart({ bun });
