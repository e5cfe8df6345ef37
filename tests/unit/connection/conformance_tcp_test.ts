import { checkStream } from "../../support/check_stream.ts";
import { tcpKind } from "../../support/stream_kinds.ts";

checkStream("TCP on IPv4", () => tcpKind("127.0.0.1"));
checkStream("TCP on IPv6", () => tcpKind("::1"));
