import type { SocketErrorKind } from "../errors.ts";

/** The kind and the words of an error. */
export type TlsMeaning = readonly [kind: SocketErrorKind, reason: string];

const NOT_TLS = "the peer does not speak TLS";
const TRUNCATED = "the peer ended without close_notify, so data may be missing";

/** Reasons by which the runtime rejects a certificate, by its words for them. */
const CERTIFICATE_REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^UnknownIssuer/, "no trusted authority has signed it"],
  [/expired|^Expired/, "it has expired"],
  [/not valid yet|^NotValidYet/, "it is not valid yet"],
  [/CaUsedAsEndEntity/, "it is an authority's own, not a server's"],
  [/UnsupportedCertVersion/, "it is not of X.509 version 3"],
  [/^BadSignature/, "its signature is wrong"],
  [/extended key usage|^InvalidPurpose/, "it is not made for this use (extended key usage)"],
  [/^Revoked/, "it is revoked"],
];

const REJECTED = "the peer's certificate is rejected: ";
/** Codes of the verifier of `node:tls`. Bun has `UNSPECIFIED` if a name is outside of an authority's limits. */
const VERIFIER_CODE =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_|PATH_LENGTH_|UNSPECIFIED$|ERR_TLS_CERT_)/;
/** Reasons by which that verifier rejects a certificate, by its codes. */
const VERIFIER_REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/, "no trusted authority has signed it"],
  [/^CERT_HAS_EXPIRED/, "it has expired"],
  [/^CERT_NOT_YET_VALID/, "it is not valid yet"],
  [/^INVALID_PURPOSE/, "it is not made for this use (extended key usage)"],
];
/** Words with which the errors of the runtime's TLS begin. */
const TLS_WORDS =
  /^(received |peer |cannot |can't |missing |presented |tls |no |unexpected |bad )/i;

/** Operations that are over when the handshake is. */
const HANDSHAKES: ReadonlySet<string> = new Set(["connectTls", "startTls", "listenTls"]);

/** Returns the meaning of an error of the runtime's TLS, or undefined if it is another error. */
export function tlsMeaning(
  name: string,
  code: string | undefined,
  message: string,
  operation: string,
): TlsMeaning | undefined {
  if (code !== undefined) {
    if (VERIFIER_CODE.test(code)) {
      const known = VERIFIER_REASONS.find(([pattern]) => pattern.test(code))?.[1];
      return ["CertificateRejected", REJECTED + (known ?? message.split("\n", 1)[0])];
    }
    return /^ERR_(SSL|TLS)_/.test(code) ? codeMeaning(code, message, operation) : undefined;
  }
  if (name === "UnexpectedEof") {
    if (message.includes("close_notify")) return ["UnexpectedEof", TRUNCATED];
    if (!HANDSHAKES.has(operation)) return undefined;
    return ["UnexpectedEof", "the peer ended during the handshake"];
  }
  return name === "InvalidData" ? messageMeaning(message, operation) : undefined;
}

/** Reads an error of `node:tls`. */
function codeMeaning(code: string, message: string, operation: string): TlsMeaning {
  const alert = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13)_ALERT_(.+)$/.exec(code)?.[1];
  if (alert !== undefined) return alertMeaning(alert.toLowerCase());
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return corruptMeaning(message, operation);
  const words = code.replace(/^ERR_(SSL|TLS)_/, "").toLowerCase().replaceAll("_", " ");
  return ["TlsFailed", words];
}

/** Reads an error of `Deno.TlsConn`, which has no code. */
function messageMeaning(message: string, operation: string): TlsMeaning | undefined {
  const certificate = /^invalid peer certificate: (.*)/s.exec(message)?.[1];
  if (certificate !== undefined) {
    return [
      "CertificateRejected",
      REJECTED + certificateReason(certificate),
    ];
  }
  const alert = /^received fatal alert: (?:the )?(\w+)/.exec(message)?.[1];
  if (alert !== undefined) return alertMeaning(toSnakeCase(alert));
  // The words for messages that do not end: 64 KiB of one is all that the runtime's TLS keeps.
  if (message === "invalid data" && HANDSHAKES.has(operation)) {
    return ["TlsFailed", "the peer sent malformed TLS"];
  }
  if (/^received corrupt message/.test(message)) return corruptMeaning(message, operation);
  return TLS_WORDS.test(message) ? ["TlsFailed", message.split("\n", 1)[0]] : undefined;
}

function certificateReason(words: string): string {
  const names = /^certificate not valid for name "(.*?)"(?:; certificate is only valid for (.*))?/s
    .exec(words);
  if (names !== null) return wrongName(names[1], readNames(names[2] ?? ""));
  return CERTIFICATE_REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? words;
}

/** Reads the names out of the runtime's words: `DnsName("a.example") or IpAddress(127.0.0.1)`. */
function readNames(words: string): string[] {
  return [...words.matchAll(/\w+\("?([^")]*)"?\)/g)].map(([, name]) => name);
}

/** Says for which names a certificate is, if it is not for the one that was asked for. */
export function wrongName(wanted: string, names: readonly string[]): string {
  if (names.length === 0) return `it is not for ${wanted}, it names nobody`;
  return `it is not for ${wanted}, it is for ${names.join(", ")}`;
}

function alertMeaning(alert: string): TlsMeaning {
  return ["TlsFailed", `the peer sent the alert ${alert}`];
}

/** Tells a peer that speaks something else from one whose TLS is damaged. */
function corruptMeaning(message: string, operation: string): TlsMeaning {
  const kind = /corrupt message of type (\w+)/.exec(message)?.[1] ?? "InvalidContentType";
  if (kind !== "InvalidContentType") return ["TlsFailed", "the peer sent malformed TLS"];
  const isHandshake = HANDSHAKES.has(operation);
  return ["TlsFailed", isHandshake ? NOT_TLS : "the peer sent something that is not TLS"];
}

/** Writes an alert as RFC 8446 does: `UnknownCA` is `unknown_ca`. */
function toSnakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}
