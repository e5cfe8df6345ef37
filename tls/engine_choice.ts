import { isRuntimeTcp } from "../runtime/deno_tls.ts";
import type { TlsGround } from "./handshake.ts";
import type { ClientSettings } from "./options.ts";
import type { Certificates } from "./own_certificates.ts";
import { TrustStore } from "./peer_check.ts";
import { distrustReason } from "./trust.ts";

/** Servers to remember: a program has a few. */
const MOST_SERVERS = 200;

/**
 * Servers by their host and the given authorities: true if one of these authorities has signed the server's certificate
 * itself, or is that certificate. Once false, it stays false: a server may have several.
 */
const servers = new Map<string, boolean>();

/**
 * Tells if the runtime's own TLS may be the engine of a client. Its verifier does not look at the key usage of authorities,
 * and of given ones it only knows the name and the key. It shows the certificate of a server alone. So beside given
 * authorities it may only be used if one of them has signed that certificate itself, which this package then checks.
 *
 * @param isRepeatable True if the caller can connect again to a server whose certificate others have signed.
 */
export function suitsRuntime(
  { transport, isUntouched }: TlsGround,
  settings: ClientSettings,
  isRepeatable: boolean,
): boolean {
  const { certificate, authorities } = settings;
  if (!isUntouched || certificate !== undefined || !isRuntimeTcp(transport)) return false;
  if (authorities === undefined) return true;
  return servers.get(keyOf(settings)) ?? isRepeatable;
}

/** Returns why the given authorities have not signed a server's certificate themselves; undefined if one has. */
export async function indirectReason(
  certificate: Uint8Array,
  { host, authorities }: ClientSettings,
  { isSignedBy }: Certificates,
): Promise<string | undefined> {
  const trust = new TrustStore(authorities?.certificates ?? []);
  return await distrustReason({
    chain: [certificate],
    trusted: (subject) => trust.find(subject),
    use: "server",
    host,
    now: Date.now(),
    isSignedBy: (one, issuer) => isSignedBy(one.der, issuer.der),
  });
}

/** Notes if a server's certificate was signed by one of the given authorities itself. */
export function noteServer(settings: ClientSettings, isDirect: boolean): void {
  if (settings.authorities === undefined) return;
  const key = keyOf(settings);
  const noted = servers.get(key);
  if (noted === undefined && servers.size >= MOST_SERVERS) {
    const [oldest] = servers.keys();
    servers.delete(oldest);
  }
  servers.set(key, isDirect && noted !== false);
}

/** Tells if nothing is known about a server yet. */
export function isNewServer(settings: ClientSettings): boolean {
  return settings.authorities !== undefined && !servers.has(keyOf(settings));
}

function keyOf({ host, authorities }: ClientSettings): string {
  return JSON.stringify([host, authorities?.pem]);
}
