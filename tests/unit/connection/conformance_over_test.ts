import { checkStream } from "../../support/check_stream.ts";
import { overKind } from "../../support/stream_kinds.ts";

checkStream("listenerOver and connectionOver", overKind);
