import type { SocketErrorKind } from "../errors.ts";
import { quote } from "./arguments.ts";
import { ipFamily } from "./ip_address.ts";

/** The kind and the words of an error. */
export type TlsMeaning = readonly [kind: SocketErrorKind, reason: string];

const OUT_OF_TURN = "the peer sent a message out of turn";
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

/** Explanations of failures that Deno's TLS has words for. */
const FAILURES: readonly (readonly [pattern: RegExp, plain: string])[] = [
  [/^cannot decrypt/, "the peer sent something that cannot be decrypted"],
  [/^received unexpected/, OUT_OF_TURN],
  [/^peer misbehaved/, "the peer broke the rules of TLS"],
  [/^peer is incompatible/, "the peer has no version, cipher or key in common with this side"],
  [/^peer doesn't support any known protocol/, "the peer speaks none of alpnProtocols"],
  [/^peer sent no certificates/, "the peer showed no certificate"],
];

/** Explanations of the alerts that peers often send (RFC 8446, 6.2). */
const ALERTS: Readonly<Record<string, string | undefined>> = {
  bad_certificate: "it rejects this side's certificate",
  certificate_expired: "this side's certificate has expired, or is not valid yet",
  certificate_required: "it demands a certificate, so give cert and key",
  certificate_unknown: "it rejects this side's certificate",
  handshake_failure: "it has nothing in common with this side, or demands a certificate",
  no_application_protocol: "it speaks none of alpnProtocols",
  protocol_version: "it speaks neither TLS 1.2 nor TLS 1.3",
  unknown_ca: "it trusts nobody who has signed this side's certificate",
  unrecognized_name: "it does not know the name that it was asked for",
  unrecognised_name: "it does not know the name that it was asked for",
  unsupported_certificate: "this side's certificate is of a kind that it does not take",
};

/** Names of a certificate that an error lists: some have hundreds. */
const MOST_NAMES = 10;
/** Most characters of words of the runtime that have no others here. */
const LONGEST_WORDS = 200;

const REJECTED = "the peer's certificate is rejected: ";
/** Codes of the verifier of `node:tls`. Bun has `UNSPECIFIED` if a name is outside of an authority's limits. */
const VERIFIER_CODE =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|INVALID_|PATH_LENGTH_|UNSPECIFIED$|ERR_TLS_CERT_)/;
/** Codes of alerts: some have lost the word for that. */
const ALERT_CODE = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(?:ALERT_)?(.+)$/;
/** The code of Bun for an alert that it does not know: 1000 and its number. */
const UNKNOWN_ALERT_CODE = /^ERR_SSL_reason\(1(\d{3})\)$/;
const OUT_OF_TURN_CODE = /^ERR_SSL_UNEXPECTED_(MESSAGE|RECORD)$/;
/** Reasons by which that verifier rejects a certificate, by its codes. Bun shows them to its servers. */
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
    if (!isTlsCode(code)) return undefined;
    // Deno has one code for many errors, and true words. Those of Node are OpenSSL's, which do not begin so.
    const meaning = messageMeaning(message, operation);
    if (meaning !== undefined) return meaning;
    return VERIFIER_CODE.test(code)
      ? ["CertificateRejected", `${REJECTED}${verifierReason(code)}`]
      : codeMeaning(code, message, operation);
  }
  if (name === "UnexpectedEof") {
    if (message.includes("close_notify")) return ["UnexpectedEof", TRUNCATED];
    if (!HANDSHAKES.has(operation)) return undefined;
    return ["UnexpectedEof", "the peer ended during the handshake"];
  }
  return name === "InvalidData" ? messageMeaning(message, operation) : undefined;
}

/**
 * Tells if a code is one of `node:tls`, which is not shown: the runtime's own TLS has none, and Deno gives one of them to
 * errors of many kinds.
 */
export function isTlsCode(code: string): boolean {
  return VERIFIER_CODE.test(code) || /^ERR_(SSL|TLS)_/.test(code);
}

/** Reads an error of `node:tls`. */
function codeMeaning(code: string, message: string, operation: string): TlsMeaning {
  const alert = ALERT_CODE.exec(code)?.[1];
  if (alert !== undefined) return alertMeaning(alert.toLowerCase());
  const unknown = UNKNOWN_ALERT_CODE.exec(code)?.[1];
  if (unknown !== undefined) return alertMeaning(`of number ${Number(unknown)}`);
  if (OUT_OF_TURN_CODE.test(code)) return ["TlsFailed", OUT_OF_TURN];
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") return corruptMeaning(message, operation);
  if (code === "ERR_SSL_EXCESSIVE_MESSAGE_SIZE") {
    return ["TlsFailed", "the peer's messages do not end"];
  }
  const words = code.replace(/^ERR_(SSL|TLS)_/, "").toLowerCase().replaceAll("_", " ");
  return ["TlsFailed", words];
}

/** Reads the words of Deno's TLS, which `Deno.TlsConn` gives without a code. */
function messageMeaning(message: string, operation: string): TlsMeaning | undefined {
  const certificate = /^invalid peer certificate: (.*)/s.exec(message)?.[1];
  if (certificate !== undefined) {
    return [
      "CertificateRejected",
      REJECTED + certificateReason(certificate),
    ];
  }
  const unknown = /^received fatal alert: .*?\((?:0x)?([0-9a-f]+)\)/i.exec(message)?.[1];
  if (unknown !== undefined) return alertMeaning(`of number ${unknown}`);
  const alert = /^received fatal alert: (?:the )?(\w+)/.exec(message)?.[1];
  if (alert !== undefined) return alertMeaning(toSnakeCase(alert));
  // The words for messages that do not end: 64 KiB of one is all that the runtime's TLS keeps.
  if (message === "invalid data" && HANDSHAKES.has(operation)) {
    return ["TlsFailed", "the peer sent malformed TLS"];
  }
  if (/^received corrupt message/.test(message)) return corruptMeaning(message, operation);
  if (!TLS_WORDS.test(message)) return undefined;
  const words = message.split("\n", 1)[0].slice(0, LONGEST_WORDS);
  const plain = FAILURES.find(([pattern]) => pattern.test(words))?.[1];
  return ["TlsFailed", plain === undefined ? words : `${plain} (${words})`];
}

/** Explains a code of the verifier of `node:tls`. */
export function verifierReason(code: string): string {
  const known = VERIFIER_REASONS.find(([pattern]) => pattern.test(code))?.[1];
  return `${known ?? "the runtime's verifier does not trust it"} (${code.slice(0, LONGEST_WORDS)})`;
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
  const explained = ALERTS[alert];
  const words = `the peer sent the alert ${alert}`;
  return ["TlsFailed", explained === undefined ? words : `${words}: ${explained}`];
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
