import { equals } from "@std/bytes/equals";
import { hostOf, octetsOf, withoutZone } from "../core/ip_address.ts";
import { wrongName } from "../core/tls_meaning.ts";
import { type Certificate, readCertificate } from "./certificate.ts";
import { breaksConstraints } from "./name_constraints.ts";
import { hasKnownKey, hasRareSignature } from "./signature.ts";

const ANY_USE = "2.5.29.37.0";
const USES = {
  server: "1.3.6.1.5.5.7.3.1",
  client: "1.3.6.1.5.5.7.3.2",
} as const;
/** Certificates of a peer that are looked at: real chains have two to four. */
const MOST_CERTIFICATES = 10;
/** Signatures that are checked for one peer, each of which takes about 1 ms. */
const MOST_SIGNATURE_CHECKS = 20;

/** A question about the certificates of a peer. */
export interface TrustQuestion {
  /** The certificates in DER that the peer sent, its own first. */
  readonly chain: readonly Uint8Array[];
  /** Finds the trusted authorities with this subject. */
  trusted(subject: Uint8Array): readonly Certificate[];
  /** The side that the peer is on. */
  readonly use: "server" | "client";
  /** The host that the certificate must be for; undefined for clients, which need no name. */
  readonly host: string | undefined;
  /** The time of the question (ms since 1970). */
  readonly now: number;
  /** Tells if the key of `issuer` has signed `certificate`, as far as the platform knows the kind of the key. */
  isSignedBy(certificate: Certificate, issuer: Certificate): boolean;
}

/**
 * Finds out why a peer is not to be trusted; undefined if it is. Whatever cannot be read or proven is a reason.
 *
 * It looks for a path from the peer's certificate to a trusted authority, and checks each signature, date and right on
 * it (RFC 5280, section 6). Policies are the platform's to check, whose verdict counts as well.
 */
export async function distrustReason(question: TrustQuestion): Promise<string | undefined> {
  const { chain } = question;
  if (chain.length === 0) return "there is none";
  if (chain.length > MOST_CERTIFICATES) return `it came with ${chain.length - 1} others`;
  const certificates = readAll(chain);
  if (typeof certificates === "string") return certificates;
  const [own] = certificates;
  return kindProblem(own, question) ??
    await new PathSearch(question, certificates).problem([own]) ??
    ownProblem(own, question);
}

/** Finds out why a server's certificate is not to be trusted, whoever has signed it; undefined if nothing says so. */
export function serverProblem(certificate: Uint8Array, host: string): string | undefined {
  const certificates = readAll([certificate]);
  if (typeof certificates === "string") return certificates;
  const [own] = certificates;
  const question = { use: "server", host, now: Date.now() } as const;
  return kindProblem(own, question) ?? criticalProblem(own) ?? ownProblem(own, question);
}

/** Reads certificates, or returns why they cannot be read. */
function readAll(chain: readonly Uint8Array[]): readonly Certificate[] | string {
  let certificates: Certificate[];
  try {
    certificates = chain.map(readCertificate);
  } catch {
    return "it is malformed, or one that came with it";
  }
  // They have no extensions that could say who may sign what.
  const areNew = certificates.every(({ version }) => version === 3);
  return areNew ? certificates : "it is not of X.509 version 3, or one that came with it";
}

function kindProblem(
  { isAuthority }: Certificate,
  { use }: Pick<TrustQuestion, "use">,
): string | undefined {
  return isAuthority ? `it is an authority's own, not a ${use}'s` : undefined;
}

function criticalProblem({ hasUnknownCritical }: Certificate): string | undefined {
  return hasUnknownCritical ? "it says something critical that is not understood" : undefined;
}

/** Returns what is wrong with a peer's certificate, whoever has signed it. */
function ownProblem(
  own: Certificate,
  { use, host, now }: Pick<TrustQuestion, "use" | "host" | "now">,
): string | undefined {
  return dateProblem(own, now) ?? useProblem(own, use) ?? keyProblem(own) ??
    (host === undefined ? undefined : hostProblem(own, host));
}

/** Looks for a path from a certificate to a trusted authority. */
class PathSearch {
  readonly #question: TrustQuestion;
  readonly #certificates: readonly Certificate[];
  #checksLeft = MOST_SIGNATURE_CHECKS;

  constructor(question: TrustQuestion, certificates: readonly Certificate[]) {
    this.#question = question;
    this.#certificates = certificates;
  }

  /** Returns why no path leads on from this one, which begins with the peer's certificate. */
  async problem(path: readonly Certificate[]): Promise<string | undefined> {
    const certificate = path[path.length - 1];
    const critical = criticalProblem(certificate);
    if (critical !== undefined) return critical;
    // A certificate that is trusted itself needs no other.
    const same = this.#question.trusted(certificate.subject)
      .some(({ der }) => equals(der, certificate.der));
    if (same) return undefined;
    if (path.length > MOST_CERTIFICATES) return "its chain is too long";
    let problem = "no trusted authority has signed it";
    for (const issuer of this.#issuers(certificate)) {
      if (!hasKnownKey(issuer)) {
        problem = "its authority has a key of a kind that is not known here: RSA, P-256, P-384, " +
          "P-521 and Ed25519 are";
      }
      if (!await this.#isSignedBy(certificate, issuer)) continue;
      const found = this.#issuerProblem(issuer, path) ?? await this.problem([...path, issuer]);
      if (found === undefined) return undefined;
      problem = found;
    }
    return problem;
  }

  /** Returns who may have signed a certificate by the names: the trusted ones first. */
  #issuers({ issuer, der }: Certificate): Certificate[] {
    return [
      ...this.#question.trusted(issuer),
      ...this.#certificates.filter((other) =>
        equals(other.subject, issuer) && !equals(other.der, der)
      ),
    ];
  }

  async #isSignedBy(certificate: Certificate, issuer: Certificate): Promise<boolean> {
    if (this.#checksLeft-- <= 0) return false;
    return this.#question.isSignedBy(certificate, issuer) ||
      await hasRareSignature(certificate, issuer);
  }

  /** Returns why an authority may not have signed the path that leads to it. */
  #issuerProblem(issuer: Certificate, path: readonly Certificate[]): string | undefined {
    const { use, now } = this.#question;
    if (issuer.version !== 3) return "the authority's certificate is not of X.509 version 3";
    if (!issuer.isAuthority) return "it was signed by a certificate that is no authority's";
    if (!issuer.signsCertificates) {
      return "it was signed by an authority whose key may not sign certificates (key usage)";
    }
    if (issuer.pathLength !== undefined && issuer.pathLength < path.length - 1) {
      return "its chain is longer than an authority allows";
    }
    const { nameConstraints } = issuer;
    if (nameConstraints !== undefined && breaksConstraints(path, nameConstraints)) {
      return "its authority may not sign for its names (name constraints)";
    }
    const date = dateProblem(issuer, now) ?? useProblem(issuer, use);
    return date === undefined ? undefined : `of its authority: ${date}`;
  }
}

function dateProblem({ notBefore, notAfter }: Certificate, now: number): string | undefined {
  if (now > notAfter) return `it has expired, on ${dateText(notAfter)}`;
  if (now < notBefore) return `it is not valid yet, but from ${dateText(notBefore)}`;
  // A date that cannot be is later than none and earlier than none.
  return now >= notBefore && now <= notAfter ? undefined : "its dates cannot be read";
}

function dateText(time: number): string {
  return new Date(time).toISOString();
}

function useProblem({ uses }: Certificate, use: "server" | "client"): string | undefined {
  if (uses === undefined || uses.includes(USES[use]) || uses.includes(ANY_USE)) return undefined;
  return `it is not made for ${use}s (extended key usage)`;
}

/** Each handshake that is spoken here is signed by the certificate's key (RFC 8446, 4.4.2.2; RFC 8422, 5.3). */
function keyProblem({ signsHandshakes }: Certificate): string | undefined {
  return signsHandshakes
    ? undefined
    : "its key may not sign handshakes (key usage without digitalSignature)";
}

function hostProblem(certificate: Certificate, host: string): string | undefined {
  const wanted = withoutZone(host).toLowerCase().replace(/\.$/, "");
  const octets = octetsOf(wanted);
  const text = octets === undefined ? wanted : hostOf(octets);
  const matches = certificate.hosts.some((name) =>
    octets === undefined ? matchesName(name, text) : name === text
  );
  return matches ? undefined : wrongName(host, certificate.hosts);
}

/** Tells if a name of a certificate covers a host. A wildcard stands for one whole label (RFC 9525, 6.3). */
function matchesName(name: string, host: string): boolean {
  if (!name.includes("*")) return name === host;
  const [first, ...rest] = name.split(".");
  const [label, ...hostRest] = host.split(".");
  return first === "*" && rest.length >= 2 && label !== "" &&
    !rest.some((one) => one.includes("*")) &&
    rest.join(".") === hostRest.join(".");
}
