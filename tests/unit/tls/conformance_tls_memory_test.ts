import { checkStream } from "../../support/check_stream.ts";
import { memoryTlsKind } from "../../support/tls_kinds.ts";

checkStream("TLS over memory", memoryTlsKind);
