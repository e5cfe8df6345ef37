import { checkStream } from "../../support/check_stream.ts";
import { tlsKind } from "../../support/tls_kinds.ts";

checkStream("TLS, both sides with certificates", () => tlsKind(true));
