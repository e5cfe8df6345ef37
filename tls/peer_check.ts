import { SocketError } from "../errors.ts";
import type { NodeTlsSession } from "../runtime/node_tls.ts";
import type { Certificates } from "./own_certificates.ts";
import { distrustReason } from "./trust.ts";
import type { TrustStore } from "./trust_store.ts";

/** The demands on the peer of a session. */
export interface PeerDemands {
  /** The side that the peer is on. */
  readonly use: "server" | "client";
  /** The host that a server's certificate must be for. */
  readonly host: string | undefined;
  readonly trust: TrustStore;
  readonly platform: Certificates;
}

/**
 * Throws unless the peer of a session is trusted. It holds for each session, also one that was resumed. The platform's
 * verifier and this package's own check must both agree: neither alone lets a peer in.
 */
export function checkPeer(
  operation: string,
  { chain, verifierError }: NodeTlsSession,
  { use, host, trust, platform }: PeerDemands,
): void {
  if (chain.length === 0) throw rejected(operation, "the peer showed no certificate");
  const reason = distrustReason({
    chain,
    trusted: (subject) => trust.find(subject),
    use,
    host,
    now: Date.now(),
    isSignedBy: (certificate, issuer) => platform.isSignedBy(certificate.der, issuer.der),
  }) ?? verifierError;
  if (reason !== undefined) {
    throw rejected(operation, `the peer's certificate is rejected: ${reason}`);
  }
}

function rejected(operation: string, reason: string): SocketError {
  return new SocketError("CertificateRejected", operation, reason);
}
