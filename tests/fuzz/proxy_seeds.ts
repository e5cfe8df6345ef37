import { concat } from "@std/bytes";
import { encodeProxyHeader, type ProxyHeaderInit } from "../../mod.ts";
import { crc32c } from "../../proxy_protocol/crc32c.ts";
import {
  IPV4_ADDRESSES,
  IPV6_ADDRESSES,
  rawTlv,
  rawV2,
  SIGNATURE,
} from "../support/proxy_bytes.ts";
import { utf8 } from "./expectations.ts";

export const V1_SEEDS = utf8(
  "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\n",
  "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
  "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n",
  "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " +
    "65535 65535\r\n",
  "PROXY TCP6 ::ffff:192.0.2.1 ::1 0 1\r\nrest",
  "PROXY UNKNOWN\r\n",
  "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\nrest",
  "PROXY UNKNOWN whatever\r\n",
);

export const V1_WORDS = utf8(
  ...["PROXY ", "PROXY", "TCP4 ", "TCP6 ", "UNKNOWN", " ", "\r\n", "\r", "\n", "\0", "  "],
  ...["192.0.2.1", "2001:db8::1", "::", "::ffff:1.2.3.4", "0", "443", "00", "65535", "65536"],
  ...["01", "0x1", "256", "1.2.3.4 5.6.7.8 1 2\r\n", "a".repeat(90)],
);

const ADDRESSES = {
  source: { host: "192.0.2.1", port: 56324 },
  destination: { host: "192.0.2.2", port: 443 },
};
const ADDRESSES6 = {
  source: { host: "2001:db8::1", port: 1 },
  destination: { host: "2001:db8::2", port: 65535 },
};
const SSL = {
  tls: true,
  certificateOnConnection: true,
  certificateInSession: false,
  verify: 0,
  version: "TLSv1.3",
  commonName: "client",
  cipher: "TLS_AES_128_GCM_SHA256",
  signatureAlgorithm: "RSA-SHA256",
  keyAlgorithm: "RSA2048",
  group: "secp256r1",
  signatureScheme: "rsa_pss_rsae_sha256",
  clientCertificate: new Uint8Array(30).fill(48),
  tlvs: [{ type: 0x40, value: new Uint8Array(2) }],
};

/** Headers of every kind, as a caller gives them. */
export const HEADERS: readonly ProxyHeaderInit[] = [
  {},
  { command: "LOCAL" },
  ADDRESSES,
  ADDRESSES6,
  { ...ADDRESSES, transport: "udp", crc32c: true },
  { ...ADDRESSES6, authority: "example.com", uniqueId: new Uint8Array([1, 2, 3]), crc32c: true },
  { ...ADDRESSES, alpn: "h2", netns: "blue", tlvs: [{ type: 0xe0, value: new Uint8Array(5) }] },
  { ...ADDRESSES, ssl: SSL, crc32c: true },
  { ...ADDRESSES6, ssl: { tls: false, tlvs: [] }, alpn: "http/1.1", authority: "é.example" },
];

export const V2_SEEDS = [
  ...HEADERS.map((header) => encodeProxyHeader(header, { version: 2 })),
  rawV2({ family: 0x31 }, new Uint8Array(216).fill(47), rawTlv(0xe1, "unix")),
  rawV2({ family: 0x10 }, IPV4_ADDRESSES),
  rawV2({ command: 0x20, family: 0xff }, new Uint8Array(9)),
  rawV2({}, IPV4_ADDRESSES, rawTlv(4, "\0\0\0"), rawTlv(4, "")),
  rawV2({ family: 0x22 }, IPV6_ADDRESSES, rawTlv(0x20, "\x07\0\0\0\0" + "\x21\0\x02ab")),
  concat([rawV2({}, IPV4_ADDRESSES), ...utf8("what follows")]),
];

export const V2_WORDS = [
  ...[SIGNATURE, IPV4_ADDRESSES, IPV6_ADDRESSES, new Uint8Array([0x21, 0x11, 0, 12])],
  ...[1, 2, 3, 4, 5, 0x20, 0x21, 0x28, 0x30, 0xe0, 0xff].map((type) => rawTlv(type, "")),
  ...[1, 2, 3, 5, 0x20, 0x22, 0x30].map((type) => rawTlv(type, "abcd")),
  ...[2, 5].map((type) => rawTlv(type, "a".repeat(256))),
  rawTlv(0x20, "\x01\0\0\0\0"),
];

/** Corrects the header's length, and its checksum if it has one. */
export function repairV2(input: Uint8Array): Uint8Array {
  const fixed = new Uint8Array(input.length < 16 ? 16 : input.length);
  fixed.set(SIGNATURE);
  fixed.set([0x21, 0x11], 12);
  fixed.set(input.subarray(12), 12);
  const rest = fixed.length - 16;
  fixed[14] = rest >> 8;
  fixed[15] = rest;
  const addresses = fixed[13] >> 4 === 1 ? 12 : fixed[13] >> 4 === 2 ? 36 : 216;
  for (let at = 16 + addresses; at + 7 <= fixed.length;) {
    const length = fixed[at + 1] << 8 | fixed[at + 2];
    if (fixed[at] === 3 && length === 4) {
      const sum = at + 3;
      fixed.fill(0, sum, sum + 4);
      new DataView(fixed.buffer).setUint32(sum, crc32c(fixed));
      break;
    }
    at += 3 + length;
  }
  return fixed;
}
