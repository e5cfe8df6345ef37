import { invalidInput } from "../core/arguments.ts";
import { SocketError } from "../errors.ts";
import type { Certificate } from "./certificate.ts";
import type { Authorities, OwnCertificate } from "./options.ts";
import { readPemCertificates } from "./pem.ts";
import { TrustStore } from "./peer_check.ts";

/** The part of the platform that knows keys and trusts authorities. It is loaded when TLS needs it. */
export type Certificates = typeof import("../runtime/node_certificates.ts");
/** A certificate with its key, and trusted authorities: parts that several sessions share. */
export type SecureContext = ReturnType<Certificates["makeContext"]>;

/** Contexts to keep: a server has one for each of its names. */
const MOST_CONTEXTS = 200;
const contexts = new Map<string, SecureContext>();
let defaultStore: TrustStore | undefined;

/** Checks that a key belongs to its certificate, before any I/O. */
export function checkOwnCertificate(
  operation: string,
  { der, key }: OwnCertificate,
  { keyProblem }: Certificates,
): void {
  const problem = keyProblem(der, key);
  if (problem !== undefined) throw invalidInput(operation, problem);
}

/** Returns the context of a server, which trusts the given authorities of clients only. */
export function serverContext(
  certificate: OwnCertificate,
  clientAuthorities: Authorities | undefined,
  platform: Certificates,
): SecureContext {
  return sharedContext(certificate, clientAuthorities?.pem, platform);
}

/**
 * Returns the context of a client, which trusts the runtime's authorities and the given ones. With a certificate of its
 * own it trusts the given ones alone: the runtime sends the authorities that it is given along with the certificate,
 * and no server takes 300 of them.
 */
export function clientContext(
  certificate: OwnCertificate | undefined,
  authorities: Authorities | undefined,
  platform: Certificates,
): SecureContext {
  const pem = certificate !== undefined || authorities === undefined
    ? authorities?.pem
    : [...defaultsBeside(authorities, platform), ...authorities.pem];
  return sharedContext(certificate, pem, platform, authorities?.pem);
}

/** Returns the authorities that a client trusts, as its context does. */
export function clientTrust(
  certificate: OwnCertificate | undefined,
  authorities: Authorities | undefined,
  platform: Certificates,
): TrustStore {
  if (certificate !== undefined && authorities !== undefined) {
    return new TrustStore(authorities.certificates);
  }
  if (defaultStore === undefined) {
    const known = defaultsBeside(authorities, platform).flatMap(readKnown);
    if (known.length === 0) return new TrustStore(authorities?.certificates ?? []);
    defaultStore = new TrustStore(known);
  }
  return authorities === undefined
    ? defaultStore
    : new TrustStore(authorities.certificates, defaultStore);
}

/** Returns the runtime's authorities, or none beside given ones if the program may not read them. */
function defaultsBeside(
  authorities: Authorities | undefined,
  { defaultAuthorities }: Certificates,
): readonly string[] {
  try {
    return defaultAuthorities();
  } catch (error) {
    if (authorities !== undefined) return [];
    const reason = "the runtime's authorities need --allow-sys, which the program does not have: " +
      "grant it, or name the authorities in caCerts";
    throw new SocketError("PermissionDenied", "connectTls", reason, { cause: error });
  }
}

/** Reads one of the runtime's authorities. One that cannot be read here is trusted by nobody. */
function readKnown(pem: string): Certificate[] {
  try {
    return readPemCertificates("connectTls", "an authority", pem);
  } catch {
    return [];
  }
}

/** Makes a context, or finds one with the same parts: to make one takes longer than a handshake with it. */
function sharedContext(
  certificate: OwnCertificate | undefined,
  authorities: readonly string[] | undefined,
  platform: Certificates,
  keyedBy: readonly string[] | undefined = authorities,
): SecureContext {
  const id = JSON.stringify([certificate?.cert, certificate?.key, keyedBy]);
  let context = contexts.get(id);
  if (context === undefined) {
    context = platform.makeContext({ certificate, authorities });
    const [oldest] = contexts.keys();
    if (contexts.size >= MOST_CONTEXTS) contexts.delete(oldest);
    contexts.set(id, context);
  }
  return context;
}
