import { verifierReason } from "../core/tls_meaning.ts";
import { SocketError } from "../errors.ts";
import type { NodeTlsSession } from "../runtime/node_tls.ts";
import type { Certificate } from "./certificate.ts";
import { distrustReason } from "./trust.ts";

/** The authorities that one side trusts, found by their subject. */
export class TrustStore {
  readonly #bySubject = new Map<string, Certificate[]>();
  readonly #fallback: TrustStore | undefined;

  /** @param fallback Authorities that are trusted as well. */
  constructor(certificates: readonly Certificate[], fallback?: TrustStore) {
    this.#fallback = fallback;
    for (const certificate of certificates) {
      const key = keyOf(certificate.subject);
      const others = this.#bySubject.get(key);
      if (others === undefined) this.#bySubject.set(key, [certificate]);
      else others.push(certificate);
    }
  }

  /** Returns the trusted authorities with this subject, which is compared byte by byte. */
  find(subject: Uint8Array): readonly Certificate[] {
    const own = this.#bySubject.get(keyOf(subject)) ?? [];
    return this.#fallback === undefined ? own : [...own, ...this.#fallback.find(subject)];
  }
}

function keyOf(subject: Uint8Array): string {
  return String.fromCharCode(...subject);
}

/** The part of the platform that checks signatures. */
interface SignatureCheck {
  isSignedBy(certificate: Uint8Array, issuer: Uint8Array): boolean;
}

/** The demands on the peer of a session. */
export interface PeerDemands {
  /** The side that the peer is on. */
  readonly use: "server" | "client";
  /** The host that a server's certificate must be for. */
  readonly host: string | undefined;
  readonly trust: TrustStore;
  readonly platform: SignatureCheck;
}

/**
 * Rejects unless the peer of a session is trusted. It holds for each session, also one that was resumed. The platform's
 * verifier and this package's own check must both agree: neither alone lets a peer in.
 */
export async function checkPeer(
  operation: string,
  { chain, verifierError }: NodeTlsSession,
  { use, host, trust, platform }: PeerDemands,
): Promise<void> {
  if (chain.length === 0) {
    const reason = "the peer showed no certificate, or one that cannot be read";
    throw new SocketError("CertificateRejected", operation, reason);
  }
  const reason = await distrustReason({
    chain,
    trusted: (subject) => trust.find(subject),
    use,
    host,
    now: Date.now(),
    isSignedBy: (certificate, issuer) => platform.isSignedBy(certificate.der, issuer.der),
  }) ?? (verifierError === undefined ? undefined : verifierReason(verifierError));
  if (reason !== undefined) throw rejected(operation, reason);
}

/** Makes the error for a certificate. */
export function rejected(operation: string, reason: string): SocketError {
  const words = `the peer's certificate is rejected: ${reason}`;
  return new SocketError("CertificateRejected", operation, words);
}
