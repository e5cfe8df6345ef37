import { ipFamily } from "../address.ts";

/** The 4 or 16 bytes of an address written out; nothing for a name, or for a zone, which no bytes can say. */
export function octetsOf(host: string): Uint8Array<ArrayBuffer> | undefined {
  if (host.includes("%")) return undefined;
  switch (ipFamily(host)) {
    case 4:
      return new Uint8Array(host.split(".").map(Number));
    case 6:
      return ipv6Octets(host);
    default:
      return undefined;
  }
}

/** The text of 4 or 16 bytes; IPv6 as RFC 5952 writes it, so that one address has one text. */
export function hostOf(octets: Uint8Array): string {
  return octets.length === 4 ? octets.join(".") : ipv6Text(octets);
}

/** `::ffff:a.b.c.d` for the bytes of `a.b.c.d` (RFC 4291, section 2.5.5.2), IPv6 as it is. */
export function mapped(octets: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (octets.length === 16) return octets;
  return new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...octets]);
}

function ipv6Octets(host: string): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(16);
  const [head, tail] = host.split("::");
  octets.set(groupOctets(head));
  if (tail !== undefined) {
    const rest = groupOctets(tail);
    octets.set(rest, 16 - rest.length);
  }
  return octets;
}

function groupOctets(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function ipv6Text(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => octets[2 * i] << 8 | octets[2 * i + 1]);
  const [start, length] = longestZeros(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  // A single group of zeros is not worth "::" (RFC 5952, section 4.2.2).
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** Where the longest run of zeros starts, the first of several, and how many groups it has. */
function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start];
  }
  return best;
}
