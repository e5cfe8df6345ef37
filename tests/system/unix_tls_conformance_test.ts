/** They need a directory, so they are not among the unit tests. */
import { checkSequences } from "../fuzz/model/commands.ts";
import { checkViewSequences } from "../fuzz/model/view_commands.ts";
import { checkStream } from "../support/check_stream.ts";
import { unixTlsKind } from "../support/tls_kinds.ts";

const SEQUENCES = 100;

checkStream("N1: TLS over a Unix socket", unixTlsKind);

// fast-check names the seed and the path of a failure by itself.
Deno.test("T2: any sequence of calls on a pair with TLS over Unix keeps to the semantics", async () => {
  await checkSequences("TLS over Unix", SEQUENCES);
});

Deno.test("R6: any sequence of calls on the stream views and the functions with TLS over Unix keeps every byte in order", async () => {
  await checkViewSequences("TLS over Unix", SEQUENCES);
});
