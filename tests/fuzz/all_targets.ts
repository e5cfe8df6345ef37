import { makeAuthority } from "../support/certificates.ts";
import type { Target } from "./target.ts";
import { targets } from "./targets.ts";
import { liveTargets } from "./tls_live.ts";
import { recordSessions } from "./tls_seeds.ts";
import { tlsTargets } from "./tls_targets.ts";

/** Makes the targets of TLS, with certificates and recorded sessions of this run. */
export async function makeTlsTargets(): Promise<Target[]> {
  const authority = await makeAuthority();
  const recorded = await recordSessions(authority);
  return [...tlsTargets(authority, recorded), ...liveTargets(authority)];
}

/** Finds a target by its name. Those of TLS are only made if one of them is asked for. */
export async function findTargets(name: string | undefined): Promise<Target[]> {
  const found = targets.filter((target) => name === undefined || target.name === name);
  if (name !== undefined && found.length > 0) return found;
  const ofTls = await makeTlsTargets();
  return [...found, ...ofTls.filter((target) => name === undefined || target.name === name)];
}
