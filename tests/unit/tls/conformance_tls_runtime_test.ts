import { checkStream } from "../../support/check_stream.ts";
import { tlsKind } from "../../support/tls_kinds.ts";

checkStream("TLS, a client on the runtime's engine", () => tlsKind());
