import { checkStream } from "../../support/check_stream.ts";
import { overKind, unixKind } from "../../support/stream_kinds.ts";

checkStream("N1: a Unix socket", unixKind);
checkStream("listenerOver and connectionOver", overKind);
