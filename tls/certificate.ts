import { equals } from "@std/bytes/equals";
import { hostOf, octetsOf } from "../core/ip_address.ts";
import {
  type DerElement,
  DerReader,
  readObjectIdentifier,
  readSmallInteger,
  readTime,
  Tag,
} from "./der.ts";
import { GeneralNameTag, type NameConstraints, readNameConstraints } from "./name_constraints.ts";

const OID_SUBJECT_ALTERNATIVE_NAME = "2.5.29.17";
const OID_BASIC_CONSTRAINTS = "2.5.29.19";
const OID_KEY_USAGE = "2.5.29.15";
const OID_EXTENDED_KEY_USAGE = "2.5.29.37";
const OID_NAME_CONSTRAINTS = "2.5.29.30";
/** Extensions that may be critical although nothing here reads them: the platform's verifier does. */
const LEFT_TO_THE_PLATFORM: ReadonlySet<string> = new Set([
  "2.5.29.32", // certificate policies
  "2.5.29.33", // policy mappings
  "2.5.29.36", // policy constraints
  "2.5.29.54", // inhibit any policy
]);
/** Bits 0 and 5 of the key usage, `digitalSignature` and `keyCertSign`, counted from the left. */
const SIGNS_HANDSHAKES = 0x80;
const SIGNS_CERTIFICATES = 0x04;

/** The facts of a certificate that decide if it is trusted (RFC 5280). */
export interface Certificate {
  /** The certificate in DER. */
  readonly der: Uint8Array;
  /** The part of it that is signed, in DER. */
  readonly body: Uint8Array;
  /** The object identifier and the parameters of the signature, in DER. */
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  /** The key with its kind in DER (`SubjectPublicKeyInfo`). */
  readonly publicKey: Uint8Array;
  /** 1 to 3. */
  readonly version: number;
  /** The names of the issuer and the subject in DER, to be compared byte by byte. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** First and last time of its validity (ms since 1970). */
  readonly notBefore: number;
  readonly notAfter: number;
  /** True if it may be an authority's: basic constraints say so. */
  readonly isAuthority: boolean;
  /** The most authorities that may stand between it and the peer's certificate. */
  readonly pathLength: number | undefined;
  /** True if its key may sign certificates, as far as the key usage says. */
  readonly signsCertificates: boolean;
  /** True if its key may sign handshakes, as far as the key usage says. */
  readonly signsHandshakes: boolean;
  /** Object identifiers of the uses that it is made for; undefined if it does not say. */
  readonly uses: readonly string[] | undefined;
  /** The DNS names and IP addresses that it is for. */
  readonly hosts: readonly string[];
  /** The alternative names as they are, of all kinds. */
  readonly names: readonly DerElement[];
  /** The names for which an authority may sign; undefined if it may for all. */
  readonly nameConstraints: NameConstraints | undefined;
  /** True if a critical extension says something that nobody here understands. */
  readonly hasUnknownCritical: boolean;
}

/** The parts of a certificate that its extensions say. */
type ExtensionFacts = {
  -readonly [
    Key in
      | "isAuthority"
      | "pathLength"
      | "signsCertificates"
      | "signsHandshakes"
      | "uses"
      | "hosts"
      | "names"
      | "nameConstraints"
      | "hasUnknownCritical"
  ]: Certificate[Key];
};

/** Reads a certificate. Throws if it is malformed. */
export function readCertificate(der: Uint8Array): Certificate {
  const outer = new DerReader(der);
  const certificate = outer.enter(Tag.sequence);
  if (!outer.done) throw new Error("bytes follow the certificate");
  const signed = certificate.next(Tag.sequence);
  const outerAlgorithm = certificate.next(Tag.sequence);
  const signature = certificate.next(Tag.bitString).content;
  if (!certificate.done || signature[0] !== 0) throw new Error("the signature is malformed");
  const body = new DerReader(signed.content);
  const versionElement = body.optional(Tag.version);
  const version = versionElement === undefined
    ? 1
    : readSmallInteger(new DerReader(versionElement.content).next(Tag.integer)) + 1;
  body.next(Tag.integer); // serial number
  const algorithm = body.next(Tag.sequence);
  // RFC 5280, 4.1.1.2: one of the two is not signed.
  if (!equals(algorithm.whole, outerAlgorithm.whole)) throw new Error("it has two algorithms");
  const issuer = body.next(Tag.sequence).whole;
  const validity = body.enter(Tag.sequence);
  const notBefore = readTime(validity.next());
  const notAfter = readTime(validity.next());
  const subject = body.next(Tag.sequence).whole;
  const publicKey = body.next(Tag.sequence);
  new DerReader(publicKey.content).next(Tag.sequence);
  let extensions: DerReader | undefined;
  while (!body.done) {
    const { tag, content } = body.next();
    if (tag === Tag.extensions) extensions = new DerReader(content).enter(Tag.sequence);
  }
  return {
    der,
    body: signed.whole,
    algorithm: algorithm.content,
    signature: signature.subarray(1),
    publicKey: publicKey.whole,
    version,
    issuer,
    subject,
    notBefore,
    notAfter,
    ...readExtensions(extensions),
  };
}

function readExtensions(extensions: DerReader | undefined): ExtensionFacts {
  const facts: ExtensionFacts = {
    isAuthority: false,
    pathLength: undefined,
    signsCertificates: true,
    signsHandshakes: true,
    uses: undefined,
    hosts: [],
    names: [],
    nameConstraints: undefined,
    hasUnknownCritical: false,
  };
  const seen = new Set<string>();
  while (extensions !== undefined && !extensions.done) {
    const extension = extensions.enter(Tag.sequence);
    const id = readObjectIdentifier(extension.next(Tag.objectIdentifier).content);
    // One that stands there twice could say two things to two readers.
    if (seen.has(id)) throw new Error(`the extension ${id} is there twice`);
    seen.add(id);
    const critical = extension.optional(Tag.boolean);
    const value = new DerReader(extension.next(Tag.octetString).content);
    const isKnown = readExtension(facts, id, value);
    const isCritical = critical !== undefined && critical.content[0] !== 0;
    if (isCritical && !isKnown) facts.hasUnknownCritical = true;
  }
  return facts;
}

/** Notes what an extension says. Returns false if it is not known. */
function readExtension(facts: ExtensionFacts, id: string, value: DerReader): boolean {
  switch (id) {
    case OID_BASIC_CONSTRAINTS: {
      const constraints = value.enter(Tag.sequence);
      const authority = constraints.optional(Tag.boolean);
      facts.isAuthority = authority !== undefined && authority.content[0] !== 0;
      const length = constraints.optional(Tag.integer);
      if (length !== undefined) facts.pathLength = readSmallInteger(length);
      return true;
    }
    case OID_KEY_USAGE: {
      const bits = value.next(Tag.bitString).content;
      facts.signsCertificates = ((bits[1] ?? 0) & SIGNS_CERTIFICATES) !== 0;
      facts.signsHandshakes = ((bits[1] ?? 0) & SIGNS_HANDSHAKES) !== 0;
      return true;
    }
    case OID_EXTENDED_KEY_USAGE: {
      const uses = value.enter(Tag.sequence);
      const ids: string[] = [];
      while (!uses.done) ids.push(readObjectIdentifier(uses.next(Tag.objectIdentifier).content));
      facts.uses = ids;
      return true;
    }
    case OID_SUBJECT_ALTERNATIVE_NAME: {
      const names = value.enter(Tag.sequence);
      const found: DerElement[] = [];
      while (!names.done) found.push(names.next());
      facts.names = found;
      facts.hosts = found.map(readHost).filter((host) => host !== undefined);
      return true;
    }
    case OID_NAME_CONSTRAINTS: {
      facts.nameConstraints = readNameConstraints(value);
      return true;
    }
    default:
      return LEFT_TO_THE_PLATFORM.has(id);
  }
}

/** Reads a DNS name or an IP address; others, such as mail addresses, name no host. */
function readHost({ tag, content }: DerElement): string | undefined {
  const isAddress = tag === GeneralNameTag.ipAddress;
  if (isAddress && (content.length === 4 || content.length === 16)) return hostOf(content);
  if (tag !== GeneralNameTag.dnsName) return undefined;
  const name = String.fromCharCode(...content);
  // Anything else could look like two names, or like another one, to another reader.
  const isName = /^[a-z0-9_.*-]{1,253}$/i.test(name) && octetsOf(name) === undefined;
  return isName ? name.toLowerCase() : undefined;
}
