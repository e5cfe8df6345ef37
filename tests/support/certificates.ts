import { concat } from "@std/bytes";

const HOUR_MS = 3_600_000;
const SIGNATURE = sequence(oid("1.2.840.10045.4.3.2")); // ecdsa-with-SHA256
const ECDSA = { name: "ECDSA", namedCurve: "P-256" } as const;

/** The uses of the extended key usage. */
export const SERVER_USE = "1.3.6.1.5.5.7.3.1";
export const CLIENT_USE = "1.3.6.1.5.5.7.3.2";

/** A certificate and its key. */
export interface TestCertificate {
  /** As PEM text. */
  readonly cert: string;
  /** As PEM text. */
  readonly key: string;
  readonly subject: string;
  readonly keys: CryptoKeyPair;
}

/** The contents of a certificate. What is left out is as a good certificate has it. */
export interface CertificateOptions {
  readonly subject: string;
  /** The issuer; itself if it is left out. */
  readonly issuer?: TestCertificate;
  /** The name of the issuer that the certificate states, if it is another one than that of `issuer`. */
  readonly issuerName?: string;
  /** The key that signs, if it is not that of the issuer. */
  readonly signer?: CryptoKeyPair;
  /** The key pair of the certificate; a fresh one if it is left out. */
  readonly keys?: CryptoKeyPair;
  readonly version?: 1 | 3;
  /** DNS names and IPv4 addresses. */
  readonly hosts?: readonly string[];
  readonly uses?: readonly string[];
  /** True for an authority, false for the others; "missing" leaves the extension out. */
  readonly authority?: boolean | "missing";
  readonly pathLength?: number;
  /** Bits of the key usage in its first byte: 0x04 signs certificates, 0x80 signs other things. */
  readonly keyUsage?: number;
  /** Hours from now. */
  readonly from?: number;
  readonly until?: number;
  /** Further extensions: object identifier, value in DER, and true if it is critical. */
  readonly extensions?: readonly (readonly [id: string, value: Uint8Array, critical: boolean])[];
  /** Certificates in PEM to add behind this one. */
  readonly chain?: readonly TestCertificate[];
}

/** Makes a certificate with anything in it, right or wrong. */
export async function makeCertificate(options: CertificateOptions): Promise<TestCertificate> {
  const { subject, issuer, version = 3, from = -1, until = 24 } = options;
  const keys = options.keys ??
    await crypto.subtle.generateKey(ECDSA, true, ["sign", "verify"]) as CryptoKeyPair;
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey));
  const serial = crypto.getRandomValues(new Uint8Array(8));
  serial[0] = serial[0] & 0x7f | 0x40;
  const body = sequence(
    ...version === 3 ? [element(0xa0, element(0x02, new Uint8Array([2])))] : [],
    element(0x02, serial),
    SIGNATURE,
    name(options.issuerName ?? issuer?.subject ?? subject),
    sequence(time(from), time(until)),
    name(subject),
    spki,
    ...version === 3 ? [element(0xa3, sequence(...extensionsOf(options)))] : [],
  );
  const signer = options.signer ?? issuer?.keys ?? keys;
  const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, signer.privateKey, body);
  const der = sequence(body, SIGNATURE, bitString(ecdsaSignature(new Uint8Array(raw))));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const chain = (options.chain ?? []).map(({ cert }) => cert);
  return {
    cert: [pem("CERTIFICATE", der), ...chain].join(""),
    key: pem("PRIVATE KEY", pkcs8),
    subject,
    keys,
  };
}

function extensionsOf(options: CertificateOptions): Uint8Array<ArrayBuffer>[] {
  const { authority = false, pathLength, keyUsage, hosts, uses, extensions = [] } = options;
  const found: Uint8Array<ArrayBuffer>[] = [];
  if (authority !== "missing") {
    const constraints = [
      ...authority ? [element(0x01, new Uint8Array([0xff]))] : [],
      ...pathLength === undefined ? [] : [element(0x02, new Uint8Array([pathLength]))],
    ];
    found.push(extension("2.5.29.19", sequence(...constraints), true));
  }
  const usage = keyUsage ?? (authority === true ? 0x04 : undefined);
  if (usage !== undefined) {
    found.push(extension("2.5.29.15", element(0x03, new Uint8Array([0, usage])), true));
  }
  if (hosts !== undefined) {
    found.push(extension("2.5.29.17", sequence(...hosts.map(generalName)), false));
  }
  if (uses !== undefined) found.push(extension("2.5.29.37", sequence(...uses.map(oid)), false));
  for (const [id, value, critical] of extensions) found.push(extension(id, value, critical));
  return found;
}

function extension(id: string, value: Uint8Array, critical: boolean): Uint8Array<ArrayBuffer> {
  const flag = critical ? [element(0x01, new Uint8Array([0xff]))] : [];
  return sequence(oid(id), ...flag, element(0x04, value));
}

function generalName(host: string): Uint8Array<ArrayBuffer> {
  return /^\d+\.\d+\.\d+\.\d+$/.test(host)
    ? element(0x87, new Uint8Array(host.split(".").map(Number)))
    : element(0x82, ascii(host));
}

/** Writes a name with a common name only. */
export function name(text: string): Uint8Array<ArrayBuffer> {
  return sequence(element(0x31, sequence(oid("2.5.4.3"), element(0x0c, ascii(text)))));
}

function time(hours: number): Uint8Array<ArrayBuffer> {
  const date = new Date(Date.now() + hours * HOUR_MS).toISOString();
  return element(0x17, ascii(date.replace(/^..(..)-(..)-(..)T(..):(..):(..).*$/, "$1$2$3$4$5$6Z")));
}

/** Writes the two numbers of a signature, which WebCrypto gives one after the other. */
function ecdsaSignature(raw: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return sequence(integer(raw.subarray(0, 32)), integer(raw.subarray(32)));
}

function integer(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const start = bytes.findIndex((byte) => byte !== 0);
  const short = bytes.subarray(start);
  return element(0x02, short[0] >= 0x80 ? concat([new Uint8Array(1), short]) : short);
}

function bitString(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(0x03, concat([new Uint8Array(1), bytes]));
}

export function sequence(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(0x30, concat(parts));
}

export function element(tag: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = content;
  const bytes = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return concat([new Uint8Array([tag, ...bytes]), content]);
}

export function oid(text: string): Uint8Array<ArrayBuffer> {
  const [first, second, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const groups = [number & 0x7f];
    for (let left = number >> 7; left > 0; left >>= 7) groups.unshift(left & 0x7f | 0x80);
    return groups;
  });
  return element(0x06, new Uint8Array(bytes));
}

function ascii(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Writes PEM text. */
export function pem(label: string, der: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...der)).match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----\n`;
}

/** An authority, and certificates of a server and a client that it has signed. */
export interface TestAuthority {
  readonly ca: TestCertificate;
  readonly server: TestCertificate;
  readonly client: TestCertificate;
}

/** The names of the test servers. */
export const HOSTS = ["localhost", "127.0.0.1", "server.test"];

/** Makes an authority and two good certificates. */
export async function makeAuthority(subject = "Test Authority"): Promise<TestAuthority> {
  // Its key may sign other things as well, or OpenSSL and BoringSSL refuse to show it as a server's or client's own.
  const ca = await makeCertificate({ subject, authority: true, keyUsage: 0x84 });
  const [server, client] = await Promise.all([
    makeCertificate({ subject: "server", issuer: ca, hosts: HOSTS, uses: [SERVER_USE] }),
    makeCertificate({ subject: "client", issuer: ca, uses: [CLIENT_USE] }),
  ]);
  return { ca, server, client };
}
