/** Parses a dotted quad. It refuses leading zeros, since some systems read them as octal. */
function parseIPv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const octets: number[] = [];
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined;
    octets.push(Number(part));
  }
  return octets;
}

/** Parses one side of a `::`, or a whole address without one. */
function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes(".")) {
      const octets = parseIPv4(part);
      if (octets === undefined) return undefined;
      groups.push(octets[0] << 8 | octets[1], octets[2] << 8 | octets[3]);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return undefined;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

/** Parses an IPv6 address without brackets and zone into its eight groups (RFC 4291, section 2.2). */
function parseIPv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]);
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  const tail = parseGroups(halves[1]);
  // The dotted quad may only stand at the very end.
  if (tail === undefined || halves[0].includes(".")) return undefined;
  const zeros = 8 - head.length - tail.length;
  return zeros < 1 ? undefined : [...head, ...new Array<number>(zeros).fill(0), ...tail];
}

/**
 * The zone of an IPv6 address, with the `%` before it (RFC 4007, section 11). An interface of Linux has a name of at
 * most 15 characters (IFNAMSIZ); the characters are those that RFC 6874 takes as they are.
 */
const ZONE = /^%[a-z0-9._~-]{1,15}$/i;

/** Returns an IPv6 address without its zone, valid or not, and everything else as it is. */
export function withoutZone(host: string): string {
  const start = host.indexOf("%");
  return start === -1 ? host : host.slice(0, start);
}

/** Returns 4 or 6 for an address written out, an IPv6 one perhaps with a zone, and 0 for anything else. */
export function ipFamily(host: string): 4 | 6 | 0 {
  if (!host.includes(":")) return parseIPv4(host) === undefined ? 0 : 4;
  const plain = withoutZone(host);
  if (parseIPv6(plain) === undefined) return 0;
  return plain === host || ZONE.test(host.slice(plain.length)) && !isMapped(plain) ? 6 : 0;
}

/** Returns true if an IPv6 address carries an IPv4 one. */
export function isMapped(host: string): boolean {
  return unmapIPv4(host) !== host;
}

/** Returns `a.b.c.d` for `::ffff:a.b.c.d` in any of its spellings, and everything else as it is. */
export function unmapIPv4(host: string): string {
  const groups = host.includes(":") ? parseIPv6(host) : undefined;
  if (groups === undefined || groups[5] !== 0xffff || groups.some((g, i) => i < 5 && g !== 0)) {
    return host;
  }
  return octetsOfGroups(groups.slice(6)).join(".");
}

/** Returns the 4 or 16 bytes of an address. A name has none, and neither has an address with a zone. */
export function octetsOf(host: string): Uint8Array<ArrayBuffer> | undefined {
  if (!host.includes(":")) {
    const octets = parseIPv4(host);
    return octets && new Uint8Array(octets);
  }
  const groups = parseIPv6(host);
  return groups && new Uint8Array(octetsOfGroups(groups));
}

function octetsOfGroups(groups: readonly number[]): number[] {
  return groups.flatMap((group) => [group >> 8, group & 255]);
}

/** Returns `::ffff:a.b.c.d` for the bytes of `a.b.c.d` (RFC 4291, section 2.5.5.2), and IPv6 as it is. */
export function mapped(octets: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (octets.length === 16) return octets;
  return new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...octets]);
}

/** Writes 4 or 16 bytes as text, IPv6 in the form of RFC 5952, so that one address has one text. */
export function hostOf(octets: Uint8Array): string {
  return octets.length === 4 ? octets.join(".") : ipv6Text(octets);
}

function ipv6Text(octets: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => octets[2 * i] << 8 | octets[2 * i + 1]);
  const [start, length] = longestZeros(groups);
  const text = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  // A single group of zeros is not worth "::" (RFC 5952, section 4.2.2).
  if (length < 2) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}

/** Finds the longest run of zeros, the first of several. */
function longestZeros(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== 0) start = index + 1;
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start];
  }
  return best;
}

/** Writes `host:port`, with an IPv6 host in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
