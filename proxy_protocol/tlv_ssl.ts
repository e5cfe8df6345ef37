import {
  type Bytes,
  encodeText,
  encodeTlv,
  invalidHeader,
  joined,
  OnceOnly,
  type ProxyContext,
  readText,
  splitTlvs,
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
const FIXED_LENGTH = 5;
const CLIENT_SSL = 0x01;
const CLIENT_CERT_CONN = 0x02;
const CLIENT_CERT_SESS = 0x04;

type TextField =
  | "version"
  | "commonName"
  | "cipher"
  | "signatureAlgorithm"
  | "keyAlgorithm"
  | "group"
  | "signatureScheme";

/** From 0x26 on they are younger than Debian 12's HAProxy, which skips them. */
export const TEXT_FIELDS: ReadonlyMap<number, TextField> = new Map<number, TextField>([
  [0x21, "version"],
  [0x22, "commonName"],
  [0x23, "cipher"],
  [0x24, "signatureAlgorithm"],
  [0x25, "keyAlgorithm"],
  [0x26, "group"],
  [0x27, "signatureScheme"],
]);

/** The client's certificate, which is no text. */
export const CLIENT_CERTIFICATE = 0x28;

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export function parseSsl(value: Uint8Array, context: ProxyContext): ProxySsl {
  if (value.length < FIXED_LENGTH) {
    throw invalidHeader(
      context,
      `the SSL field of the PROXY header has ${value.length} bytes, it needs ${FIXED_LENGTH}`,
    );
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
  const once = new OnceOnly("SSL field of the PROXY header", context);
  for (const { type, value: part } of splitTlvs(value, FIXED_LENGTH, "SSL field", context)) {
    const name = TEXT_FIELDS.get(type);
    if (name !== undefined || type === CLIENT_CERTIFICATE) once.check(type);
    if (name !== undefined) ssl[name] = readText(`SSL ${name}`, part, context);
    else if (type === CLIENT_CERTIFICATE) ssl.clientCertificate = new Uint8Array(part);
    else tlvs.push(Object.freeze({ type, value: new Uint8Array(part) }));
  }
  Object.freeze(tlvs);
  return Object.freeze(ssl);
}

/** The value of the field, for details that were checked. */
export function encodeSsl(ssl: ProxySsl): Bytes {
  const fixed = new Uint8Array(FIXED_LENGTH);
  fixed[0] = (ssl.tls ? CLIENT_SSL : 0) |
    (ssl.certificateOnConnection ? CLIENT_CERT_CONN : 0) |
    (ssl.certificateInSession ? CLIENT_CERT_SESS : 0);
  new DataView(fixed.buffer).setUint32(1, ssl.verify);
  const pieces = [fixed];
  for (const [type, name] of TEXT_FIELDS) {
    const text = ssl[name];
    if (text !== undefined) pieces.push(encodeTlv(type, encodeText(text)));
  }
  const { clientCertificate, tlvs } = ssl;
  if (clientCertificate !== undefined) {
    pieces.push(encodeTlv(CLIENT_CERTIFICATE, clientCertificate));
  }
  for (const { type, value } of tlvs) pieces.push(encodeTlv(type, value));
  return joined(pieces);
}
