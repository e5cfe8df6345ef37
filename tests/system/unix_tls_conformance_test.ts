/** They need a directory, so they are not among the unit tests. */
import { checkStream } from "../support/check_stream.ts";
import { unixTlsKind } from "../support/tls_kinds.ts";

checkStream("N1: TLS over a Unix socket", unixTlsKind);
