import { checkStream } from "../../support/check_stream.ts";
import { awkwardKind } from "../../support/stream_kinds.ts";

checkStream("a transport of awkward pieces", awkwardKind);
