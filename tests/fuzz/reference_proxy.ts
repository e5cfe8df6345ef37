import type { Address } from "../../mod.ts";

/*
 * The specification of a whole header, written with regular expressions and the URL standard's addresses: it shares no
 * code with the parser. It gives less than the parser: the addresses and the length, or nothing if it is no header.
 */

/** A header as the reference reads it; without addresses if it has none. */
export interface ReferenceHeader {
  readonly length: number;
  readonly source?: Address;
  readonly destination?: Address;
  /** Types and values in order, without padding and checksums. Only version 2 has them. */
  readonly tlvs?: readonly (readonly [number, Uint8Array])[];
}

/** Reads a header of version 1; `undefined` if it is none, or not whole. */
export function referenceV1(bytes: Uint8Array): ReferenceHeader | undefined {
  const text = String.fromCharCode(...bytes.subarray(0, 107));
  const unknown = /^PROXY UNKNOWN(?: [^\r\n]*)?\r\n/.exec(text);
  if (unknown !== null) return { length: unknown[0].length };
  const port = "(0|[1-9][0-9]{0,4})";
  const known = new RegExp(`^PROXY (TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ${port} ${port}\r\n`)
    .exec(text);
  if (known === null) return undefined;
  const [line, family, from, to] = known;
  const ports = [Number(known[4]), Number(known[5])];
  if (family === "TCP4" && line.length > 56) return undefined;
  const hosts = [from, to].map((host) => family === "TCP4" ? ipv4(host) : ipv6(host));
  if (ports.some((port) => port > 65535) || hosts.includes(undefined)) return undefined;
  return {
    length: line.length,
    source: { host: hosts[0]!, port: ports[0] },
    destination: { host: hosts[1]!, port: ports[1] },
  };
}

function ipv4(text: string): string | undefined {
  const part = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  return new RegExp(`^${part}(?:\\.${part}){3}$`).test(text) ? text : undefined;
}

/** Gives an IPv6 address in its shortest form, or the IPv4 address that it carries. */
function ipv6(text: string): string | undefined {
  const url = text.includes(":") ? URL.parse(`http://[${text}]/`) : null;
  if (url === null) return undefined;
  const host = url.hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(host);
  if (mapped === null) return host;
  const [high, low] = [parseInt(mapped[1], 16), parseInt(mapped[2], 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";

/** Reads a header of version 2, without its checksum and the values of its fields. */
export function referenceV2(bytes: Uint8Array): ReferenceHeader | undefined {
  if (String.fromCharCode(...bytes.subarray(0, 12)) !== SIGNATURE || bytes.length < 16) {
    return undefined;
  }
  const [command, family] = bytes.subarray(12, 14);
  const length = 16 + bytes[14] * 256 + bytes[15];
  if (command !== 0x20 && command !== 0x21 || bytes.length < length) return undefined;
  if (command === 0x20) return { length };
  const [kind, protocol] = [family >> 4, family & 15];
  if (kind > 3 || protocol > 2) return undefined;
  if (kind === 0 || protocol === 0) return { length };
  const end = 16 + [0, 12, 36, 216][kind];
  if (length < end) return undefined;
  const tlvs = fields(bytes.subarray(end, length));
  if (tlvs === undefined) return undefined;
  if (kind === 3) return { length, tlvs };
  const size = kind === 1 ? 4 : 16;
  const endpoint = (at: number, port: number): Address => ({
    host: hostOf(bytes.subarray(at, at + size)),
    port: bytes[port] * 256 + bytes[port + 1],
  });
  return {
    length,
    source: endpoint(16, end - 4),
    destination: endpoint(16 + size, end - 2),
    tlvs,
  };
}

function fields(bytes: Uint8Array): [number, Uint8Array][] | undefined {
  const found: [number, Uint8Array][] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 3 + bytes[at + 1] * 256 + bytes[at + 2];
    // A length that is cut off makes this NaN.
    if (!(end <= bytes.length)) return undefined;
    if (bytes[at] !== 3 && bytes[at] !== 4) found.push([bytes[at], bytes.slice(at + 3, end)]);
    at = end;
  }
  return found;
}

function hostOf(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join(".");
  const groups = Array.from(
    { length: 8 },
    (_, index) => (octets[2 * index] * 256 + octets[2 * index + 1]).toString(16),
  );
  return ipv6(groups.join(":"))!;
}
