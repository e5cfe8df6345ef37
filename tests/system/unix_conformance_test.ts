import { checkSequences } from "../fuzz/model/commands.ts";
import { checkStream } from "../support/check_stream.ts";
import { unixKind } from "../support/stream_kinds.ts";

const SEQUENCES = 300;

checkStream("N1: a Unix socket", unixKind);

// fast-check names the seed and the path of a failure by itself.
Deno.test("N1: any sequence of calls on a pair of Unix sockets keeps to the semantics", async () => {
  await checkSequences("Unix", SEQUENCES);
});
