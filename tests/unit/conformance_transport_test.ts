import { checkStream } from "../support/check_stream.ts";
import { AWKWARD_KIND } from "../support/stream_kinds.ts";

checkStream(AWKWARD_KIND);
