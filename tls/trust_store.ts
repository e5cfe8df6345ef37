import type { Certificate } from "./certificate.ts";

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
