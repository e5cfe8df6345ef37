import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import {
  createSecureContext,
  getCACertificates,
  rootCertificates,
  type SecureContext,
} from "node:tls";

/** Parsed certificates of authorities, which are asked for again and again. */
const parsed = new WeakMap<Uint8Array, X509Certificate>();

/** Tells if the key of one certificate has signed another one, both in DER. */
export function isSignedBy(certificate: Uint8Array, issuer: Uint8Array): boolean {
  try {
    return parse(certificate).verify(parse(issuer).publicKey);
  } catch {
    // A key or a signature of an unknown kind proves nothing.
    return false;
  }
}

function parse(der: Uint8Array): X509Certificate {
  let certificate = parsed.get(der);
  if (certificate === undefined) parsed.set(der, certificate = new X509Certificate(der));
  return certificate;
}

/** Returns what is wrong with a private key in PEM, or with a certificate that it should belong to. */
export function keyProblem(certificate: Uint8Array, key: string): string | undefined {
  if (/ENCRYPTED/.test(key)) return "key is encrypted: decrypt it first";
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(key);
  } catch {
    return "key is not a private key that the runtime can read";
  }
  try {
    if (new X509Certificate(certificate).checkPrivateKey(privateKey)) return undefined;
  } catch {
    return "cert has a key of a kind that the runtime does not know";
  }
  return "key does not belong to cert";
}

/** Returns the authorities that the runtime trusts, as PEM text. */
export function defaultAuthorities(): readonly string[] {
  return typeof getCACertificates === "function" ? getCACertificates("default") : rootCertificates;
}

/** Parts of a TLS session that several sessions can share. */
export interface ContextSettings {
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** The trusted authorities as PEM text; undefined for those of the runtime. */
  readonly authorities: readonly string[] | undefined;
}

/** Makes what sessions with the same certificate and the same authorities share. */
export function makeContext({ certificate, authorities }: ContextSettings): SecureContext {
  return createSecureContext({
    minVersion: "TLSv1.2",
    ...certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key },
    ...authorities === undefined ? {} : { ca: [...authorities] },
  });
}
