import type { SocketErrorKind } from "../errors.ts";
import { quote } from "./arguments.ts";
import { ipFamily } from "./ip_address.ts";

/** The kind and the words of an error. */
export type TlsMeaning = readonly [kind: SocketErrorKind, reason: string];

const NOT_TLS = "the peer does not speak TLS";
const TRUNCATED = "the peer ended without close_notify, so data may be missing";

/** Reasons by which the runtime rejects a certificate, by its words for them. */
const CERTIFICATE_REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/^UnknownIssuer/, "no trusted authority has signed it"],
  [/EndEntityUsedAsCa/, "it was signed by a certificate that is no authority's"],
  [/PathLenConstraintViolated/, "its chain is longer than an authority allows"],
  [/NameConstraintViolation/, "its authority may not sign for its names (name constraints)"],
  [/UnsupportedCriticalExtension/, "it says something critical that is not understood"],
  [
    /^UnsupportedSignatureAlgorithm/,
    "it has a key or a signature of a kind that is not known here",
  ],
  [/Exceeded/, "its chain is too long, or has too many branches"],
  [/^BadEncoding|BadDer|Malformed/, "it is malformed, or one that came with it"],
  [/expired|^Expired/, "it has expired"],
  [/not valid yet|^NotValidYet/, "it is not valid yet"],
  [/CaUsedAsEndEntity/, "it is an authority's own, not a server's"],
  [/UnsupportedCertVersion/, "it is not of X.509 version 3"],
  [/^BadSignature/, "its signature is wrong"],
  [
    /extended key usage|^InvalidPurpose|RequiredEku/,
    "it is not made for servers (extended key usage), or an authority of it",
  ],
  [/^Revoked/, "it is revoked"],
];

/** Names of a certificate that an error lists: some have hundreds. */
const MOST_NAMES = 10;
/** Most characters of words of the runtime that have no others here. */
const LONGEST_WORDS = 200;

const REJECTED = "the peer's certificate is rejected: ";
/** Codes of the verifier of `node:tls`. */
const VERIFIER_CODE = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_CA|ERR_TLS_CERT_)/;
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
      return ["CertificateRejected", `${REJECTED}${verifierReason(code)}`];
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

/** Explains a code of the verifier of `node:tls`. */
export function verifierReason(code: string): string {
  return `the runtime's verifier does not trust it (${code.slice(0, LONGEST_WORDS)})`;
}

function certificateReason(words: string): string {
  const names = /^certificate not valid for name "(.*?)"(?:; certificate is only valid for (.*))?/s
    .exec(words);
  if (names !== null) return wrongName(names[1], readNames(names[2] ?? ""));
  const known = CERTIFICATE_REASONS.find(([pattern]) => pattern.test(words))?.[1];
  return known ?? `the runtime says ${words.split("\n", 1)[0].slice(0, LONGEST_WORDS)}`;
}

/**
 * Reads the names out of the runtime's words: `DnsName("a.example") or IpAddress(127.0.0.1)`. Others, such as web
 * addresses, name no host, and an IP address as the name of a host counts for nothing.
 */
function readNames(words: string): string[] {
  return [...words.matchAll(/\b(DnsName|IpAddress)\("?([^")]*)"?\)/g)]
    .filter(([, kind, name]) => kind === "IpAddress" || ipFamily(name) === 0)
    .map(([, , name]) => name);
}

/** Says for which names a certificate is, if it is not for the one that was asked for. */
export function wrongName(wanted: string, names: readonly string[]): string {
  if (names.length === 0) return `it is not for ${quote(wanted)}, it names nobody`;
  const shown = names.slice(0, MOST_NAMES).join(", ");
  const left = names.length - MOST_NAMES;
  return `it is not for ${quote(wanted)}, it is for ${shown}${
    left > 0 ? ` and ${left} others` : ""
  }`;
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
