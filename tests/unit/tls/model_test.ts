import { checkSequences } from "../../fuzz/model/commands.ts";
import { NETWORK_TLS_KINDS } from "../../fuzz/model/tls_ends.ts";
import { checkViewSequences } from "../../fuzz/model/view_commands.ts";

const SEQUENCES = 100;

// fast-check names the seed and the path of a failure by itself. Unix sockets need files: see tests/system.
for (const kind of NETWORK_TLS_KINDS) {
  Deno.test(`T2: any sequence of calls on a pair with ${kind} keeps to the semantics`, async () => {
    await checkSequences(kind, SEQUENCES);
  });

  Deno.test(`R6: any sequence of calls on the stream views and the functions with ${kind} keeps every byte in order`, async () => {
    await checkViewSequences(kind, SEQUENCES);
  });
}
