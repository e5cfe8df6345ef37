import { equals } from "@std/bytes/equals";
import type { Certificate } from "./certificate.ts";
import { DerReader, Tag } from "./der.ts";

/** `id-ecPublicKey` with the curve P-521 (RFC 5480, 2.1.1). */
const P521_KEY = bytesOfHex("06072a8648ce3d020106052b81040023");
/** `rsaEncryption` without parameters (RFC 8017, A.1). */
const RSA_KEY = bytesOfHex("06092a864886f70d0101010500");
/** The same with P-256 and P-384, and Ed25519 (RFC 8410, 3). */
const OTHER_KEYS = [
  "06072a8648ce3d020106082a8648ce3d030107",
  "06072a8648ce3d020106052b81040022",
  "06032b6570",
].map(bytesOfHex);
/** Bytes of each of the two numbers of a signature of P-521. */
const P521_BYTES = 66;

/** ECDSA with a digest (RFC 5758, 3.2). */
const ECDSA = [
  ["06082a8648ce3d040302", "SHA-256"],
  ["06082a8648ce3d040303", "SHA-384"],
  ["06082a8648ce3d040304", "SHA-512"],
] as const;
/** RSASSA-PSS with one digest for all, and a salt of its length (RFC 4055, 3.1): the end of its object identifier. */
const PSS = [["01", "SHA-256", 32], ["02", "SHA-384", 48], ["03", "SHA-512", 64]] as const;

/** Writes the parameters of RSASSA-PSS. */
function pssAlgorithm(digest: string, saltBytes: number): Uint8Array {
  const hash = `300d06096086480165030402${digest}0500`;
  const salt = saltBytes.toString(16).padStart(2, "0");
  return bytesOfHex(
    `06092a864886f70d01010a3034a00f${hash}a11c301a06092a864886f70d010108${hash}a2030201${salt}`,
  );
}

function bytesOfHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g)!, (digits) => parseInt(digits, 16));
}

/** Tells if the key of a certificate is of a kind whose signatures can be checked. */
export function hasKnownKey({ publicKey }: Certificate): boolean {
  const kind = keyKind(publicKey);
  return [P521_KEY, RSA_KEY, ...OTHER_KEYS].some((known) => equals(known, kind));
}

function keyKind(publicKey: Uint8Array): Uint8Array {
  return new DerReader(publicKey).enter(Tag.sequence).next(Tag.sequence).content;
}

/**
 * Tells if a key has signed a certificate, for two kinds that the verifier of the platform may not know: ECDSA with P-521,
 * and RSASSA-PSS with a key for all of RSA. For others it is false.
 */
export async function hasRareSignature(
  { algorithm, body, signature }: Certificate,
  { publicKey }: Certificate,
): Promise<boolean> {
  try {
    const kind = keyKind(publicKey);
    if (equals(kind, P521_KEY)) {
      const hash = ECDSA.find(([hex]) => equals(algorithm, bytesOfHex(hex)))?.[1];
      if (hash === undefined) return false;
      const pair = joinNumbers(signature);
      return await verify({ name: "ECDSA", namedCurve: "P-521", hash }, publicKey, pair, body);
    }
    if (!equals(kind, RSA_KEY)) return false;
    const found = PSS.find(([digest, , salt]) => equals(algorithm, pssAlgorithm(digest, salt)));
    if (found === undefined) return false;
    const [, hash, saltLength] = found;
    return await verify({ name: "RSA-PSS", hash, saltLength }, publicKey, signature, body);
  } catch {
    // A key or a signature that cannot be read proves nothing.
    return false;
  }
}

async function verify(
  algorithm: EcKeyImportParams & EcdsaParams | RsaHashedImportParams & RsaPssParams,
  publicKey: Uint8Array,
  signature: Uint8Array,
  body: Uint8Array,
): Promise<boolean> {
  const { subtle } = crypto;
  const key = await subtle.importKey("spki", publicKey.slice(), algorithm, false, ["verify"]);
  return await subtle.verify(algorithm, key, signature.slice(), body.slice());
}

/** Writes the two numbers of a signature one after the other, as WebCrypto expects them. */
function joinNumbers(signature: Uint8Array): Uint8Array {
  const outer = new DerReader(signature);
  const numbers = outer.enter(Tag.sequence);
  const pair = new Uint8Array(2 * P521_BYTES);
  for (const end of [P521_BYTES, 2 * P521_BYTES]) {
    const { content } = numbers.next(Tag.integer);
    const digits = content[0] === 0 ? content.subarray(1) : content;
    if (digits.length > P521_BYTES) throw new Error("a number of the signature is too large");
    pair.set(digits, end - digits.length);
  }
  if (!outer.done || !numbers.done) throw new Error("bytes follow the signature");
  return pair;
}
