import { memoryNetwork } from "../../../testing.ts";
import { checkStream } from "../../support/check_stream.ts";
import { memoryKind } from "../../support/stream_kinds.ts";

checkStream(
  "a network in memory",
  (random) =>
    memoryKind(memoryNetwork({ seed: random.seed, latency: 0, jitter: 0, window: 256 * 1024 })),
);
