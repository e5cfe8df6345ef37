import { checkStream } from "../../support/check_stream.ts";
import { startTlsKind } from "../../support/tls_kinds.ts";

checkStream("startTls on TCP with reads under way", () => startTlsKind(true));
