import { checkStream } from "../support/check_stream.ts";
import { tcpKind } from "../support/stream_kinds.ts";

checkStream(tcpKind("TCP on IPv4", "127.0.0.1"));
checkStream(tcpKind("TCP on IPv6", "::1"));
