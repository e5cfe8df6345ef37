import {
  type Bytes,
  encodeText,
  encodeTlv,
  invalidHeader,
  joined,
  readText,
  splitTlvs,
  type Writable,
} from "./tlv.ts";
import type { ProxySsl, ProxyTlv } from "../types.ts";

/*
 * The value of the SSL field (section 2.2.6):
 *
 *     +--------+--------+--------+--------+--------+----------------------
 *     | client |   verify, big-endian              | fields of their own …
 *     +--------+--------+--------+--------+--------+----------------------
 *       bit 0: TLS    bit 1: certificate on this connection    bit 2: certificate in the session
 */
const FIXED_BYTES = 5;
const CLIENT_SSL = 0x01;
const CLIENT_CERT_CONN = 0x02;
const CLIENT_CERT_SESS = 0x04;

type SslField =
  | "version"
  | "commonName"
  | "cipher"
  | "signatureAlgorithm"
  | "keyAlgorithm"
  | "group"
  | "signatureScheme"
  | "clientCertificate";

/** Types that `ssl` has a property for. HAProxy 2.6 skips those from 0x26 on, which are younger. */
export const SSL_FIELD_OF_TYPE: ReadonlyMap<number, SslField> = new Map<number, SslField>([
  [0x21, "version"],
  [0x22, "commonName"],
  [0x23, "cipher"],
  [0x24, "signatureAlgorithm"],
  [0x25, "keyAlgorithm"],
  [0x26, "group"],
  [0x27, "signatureScheme"],
  [0x28, "clientCertificate"],
]);

const PLACE = "SSL field of the PROXY header";

/** Reads the value of the SSL field. */
export function parseSsl(value: Uint8Array): ProxySsl {
  if (value.length < FIXED_BYTES) {
    throw invalidHeader(`the ${PLACE} has ${value.length} bytes, it needs ${FIXED_BYTES}`);
  }
  const tlvs: ProxyTlv[] = [];
  const [client] = value;
  const ssl: Writable<ProxySsl> = {
    tls: (client & CLIENT_SSL) !== 0,
    certificateOnConnection: (client & CLIENT_CERT_CONN) !== 0,
    certificateInSession: (client & CLIENT_CERT_SESS) !== 0,
    verify: new DataView(value.buffer, value.byteOffset).getUint32(1),
    tlvs,
  };
  for (const { type, value: part } of splitTlvs(value, FIXED_BYTES, SSL_FIELD_OF_TYPE, PLACE)) {
    const name = SSL_FIELD_OF_TYPE.get(type);
    if (name === undefined) tlvs.push(Object.freeze({ type, value: new Uint8Array(part) }));
    else if (name === "clientCertificate") ssl[name] = new Uint8Array(part);
    else ssl[name] = readText(`SSL ${name}`, part);
  }
  Object.freeze(tlvs);
  return Object.freeze(ssl);
}

/** Writes the value of the SSL field, from details that were checked. */
export function encodeSsl(ssl: ProxySsl): Bytes {
  const fixed = new Uint8Array(FIXED_BYTES);
  fixed[0] = (ssl.tls ? CLIENT_SSL : 0) |
    (ssl.certificateOnConnection ? CLIENT_CERT_CONN : 0) |
    (ssl.certificateInSession ? CLIENT_CERT_SESS : 0);
  new DataView(fixed.buffer).setUint32(1, ssl.verify);
  const pieces = [fixed];
  for (const [type, name] of SSL_FIELD_OF_TYPE) {
    const value = ssl[name];
    if (value === undefined) continue;
    pieces.push(encodeTlv(type, typeof value === "string" ? encodeText(value) : value));
  }
  for (const { type, value } of ssl.tlvs) pieces.push(encodeTlv(type, value));
  return joined(pieces);
}
