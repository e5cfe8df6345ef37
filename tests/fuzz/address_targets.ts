import { assert, assertEquals } from "@std/assert";
import { type Address, formatAddress, parseAddress, parseSocketAddress } from "../../mod.ts";
import { TrustList } from "../../proxy_protocol/trust_list.ts";
import { outcomeOf, sortOf, textOf, utf8 } from "./expectations.ts";
import type { Target, Worst } from "./target.ts";

const HOSTS = utf8(
  ...["127.0.0.1", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::1:0:0:1"],
  ...["fe80::1%eth0", "::ffff:192.0.2.1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:7:8"],
  ...["localhost", "example.com", "example.com.", "xn--bcher-kva.example", "a_b-c.d9"],
  ...["0177.1", "0x7f.1", "2130706433", "1.2.3.4.", "no-such.invalid", "a.b.0x"],
);

const WORDS = utf8(
  ...[
    "[",
    "]",
    ":",
    "::",
    ".",
    "..",
    "%",
    "%25",
    "%1",
    "%eth0",
    "0x",
    "0x7f",
    "017",
    "ffff:",
    "::ffff:",
    "/",
  ],
  ...["@", "#", "?", " ", "\t", "\r\n", "\0", "é", "ｅ", "。", "１", "\u200d", "xn--", "-", "_"],
  ...["127.0.0.1", "255", "256", "65535", "localhost", "a".repeat(63), "a.".repeat(127)],
);

/** Makes the worst cases of a function that reads a text. */
function textWorst(
  operation: string,
  read: (text: string) => unknown,
  wrap: (text: string) => string,
): Worst[] {
  return ["a", "a.", "1.", "0x1.", ":", "::", "ffff:", "[", "%", "\u{1f600}", "-"].map((unit) => ({
    name: `${JSON.stringify(unit)} repeated`,
    size: 64 * 1024,
    make(size) {
      const text = wrap(unit.repeat(Math.ceil(size / unit.length)));
      return () => outcomeOf(() => read(text), operation, "InvalidInput");
    },
  }));
}

/** Returns the host as the URL standard reads it, which is an independent implementation. */
function urlHost(host: string): string | undefined {
  const written = host.includes(":") ? `[${host}]` : host;
  const url = URL.parse(`http://${written}:81/`);
  return url === null || url.port !== "81" ? undefined : url.hostname;
}

/** Checks that an accepted host is what it looks like, and hides no other address. Returns its kind. */
function checkHost(host: string): string {
  assert(/^[\x21-\x7e]+$/.test(host), `host ${JSON.stringify(host)}`);
  assert(!/[[\]/@?#\\]/.test(host), `host ${JSON.stringify(host)}`);
  const [plain, zone, ...more] = host.split("%");
  if (host.includes(":")) {
    assert(urlHost(plain) !== undefined, `${host} is no IPv6 address`);
    if (zone === undefined) return "IPv6";
    assert(/^[\w.~-]{1,15}$/.test(zone) && more.length === 0, `${host} has no such zone`);
    assert(!/^\[::ffff:[^:]+:[^:]+\]$/.test(urlHost(plain)!), `${host} is IPv4 with a zone`);
    return "IPv6 with a zone";
  }
  assert(zone === undefined, `host ${JSON.stringify(host)}`);
  const isIPv4 = /^(\d{1,3}\.){3}\d{1,3}$/.test(host);
  // The standard refuses some names with punycode, because they decode to nothing.
  if (!/(^|\.)xn--/i.test(host)) assertEquals(urlHost(host), host.toLowerCase());
  else if (urlHost(host) !== undefined) assert(!/^[0-9.]+$/.test(urlHost(host)!));
  return isIPv4 ? "IPv4" : "a name";
}

function checkParse(input: Uint8Array): string {
  const text = textOf(input);
  const parsed = outcomeOf(() => parseAddress(text), "parseAddress", "InvalidInput");
  if ("error" in parsed) {
    // A text that every browser reads as an address with such a port must not be refused.
    assert(!isPlainAddress(text), `${JSON.stringify(text)} was refused`);
    return sortOf(parsed.error);
  }
  const { host, port } = parsed.value;
  assert(Object.isFrozen(parsed.value) && Number.isInteger(port) && port >= 0 && port <= 65535);
  const sort = checkHost(host);
  const written = formatAddress(parsed.value);
  assertEquals(parseAddress(written), parsed.value);
  // IPv4 in IPv6 becomes IPv4. All other hosts stay the same to the letter.
  if (written !== text) assert(/^\[[0:]*:ffff:/i.test(text) && sort === "IPv4", text);
  return sort;
}

function isPlainAddress(text: string): boolean {
  const match =
    /^((?:[1-9]?\d\.){3}[1-9]?\d|\[[0-9a-f:]{2,39}\]|[a-z]{1,20}(?:\.[a-z]{1,20})*):([1-9]\d{0,3})$/
      .exec(text);
  // A name has at most 253 characters (RFC 1035, 2.3.4, less the dots of the wire form).
  return match !== null && match[1].length <= 253 && URL.canParse(`http://${match[1]}/`);
}

export const parseAddressTarget: Target = {
  name: "parseAddress",
  seeds: [
    ...HOSTS.map(textOf).flatMap((host) =>
      utf8(host.includes(":") ? `[${host}]:80` : `${host}:65535`)
    ),
    ...utf8("127.0.0.1:0", "127.0.0.1:00", "::1:80", "[127.0.0.1]:80", ":80", "a:", "[]:1"),
    new Uint8Array([0xff, 0xfe, 0x61, 0, 0x3a, 0, 0x31, 0]),
    new Uint8Array([0xff, 0xfe, 0, 0xd8, 0x3a, 0, 0x31, 0]),
  ],
  words: WORDS,
  longest: 400,
  check: checkParse,
  outcomes: [
    ...["IPv4", "IPv6", "IPv6 with a zone", "a name"],
    ...["InvalidInput: parseAddress: host", "InvalidInput"],
  ],
  worst: textWorst("parseAddress", parseAddress, (text) => `${text}:80`)
    .concat(textWorst("parseAddress", parseAddress, (text) => `[${text}]:80`)),
};

function checkSocketParse(input: Uint8Array): string {
  const text = textOf(input);
  const operation = "parseSocketAddress";
  const parsed = outcomeOf(() => parseSocketAddress(text), operation, "InvalidInput");
  if ("error" in parsed) {
    // A short path without a NUL names a file, or could name one.
    assert(!/^unix:[a-z./][a-z0-9./]{0,99}$/.test(text) || text.startsWith("unix://"), text);
    return sortOf(parsed.error);
  }
  const address = parsed.value;
  assert(Object.isFrozen(address));
  if (address.host !== undefined) {
    assertEquals(parseAddress(text), address);
    return checkHost(address.host);
  }
  const { path } = address;
  const name = path.startsWith("\0") ? path.slice(1) : path;
  assert(text.startsWith("unix:") && !name.includes("\0"), text);
  assert(new TextEncoder().encode(name).length <= 107, text);
  // The written form may name the same file in another way, but it is read as it was written.
  const written = formatAddress(address);
  assertEquals(formatAddress(parseSocketAddress(written)), written);
  if (path === "") return "unnamed";
  return path === name ? "a path" : "an abstract name";
}

export const parseSocketAddressTarget: Target = {
  name: "parseSocketAddress",
  seeds: [
    ...utf8("unix:/run/app.sock", "unix:app.sock", "unix:@app", "unix:", "unix:80", "unix:./80"),
    ...utf8(
      "unix:///run/app.sock",
      "unix://host/x",
      `unix:/${"x".repeat(106)}`,
      "unix:@\0",
      "unix:@",
    ),
    ...utf8("127.0.0.1:80", "[::1]:80", "example.com:443", "unix:é", "unix:a\0b", "unix:\0a"),
    new Uint8Array([0xff, 0xfe, 0x75, 0, 0x6e, 0, 0x69, 0, 0x78, 0, 0x3a, 0, 0, 0xd8]),
  ],
  words: [...WORDS, ...utf8("unix:", "unix:@", "unix:/", "//", "./", "\0", "x".repeat(107))],
  longest: 400,
  check: checkSocketParse,
  outcomes: ["a path", "an abstract name", "unnamed", "IPv4", "InvalidInput"],
  worst: textWorst("parseSocketAddress", parseSocketAddress, (text) => `unix:${text}`),
};

/** Reads the input as a host, the last `|`, and a port as a JSON value. */
function checkFormat(input: Uint8Array): string {
  const text = textOf(input);
  const bar = text.lastIndexOf("|");
  const host = text.slice(0, Math.max(bar, 0));
  const port = jsonOr(text.slice(bar + 1));
  const address = { host, port } as Address;
  const written = outcomeOf(() => formatAddress(address), "formatAddress", "InvalidInput");
  if ("error" in written) return sortOf(written.error);
  assert(Number.isInteger(port) && (port as number) >= 0 && (port as number) <= 65535);
  const sort = checkHost(host);
  const back = parseAddress(written.value);
  assertEquals(back.port, port);
  if (back.host !== host) assert(/^[0:]*:ffff:/i.test(host), `${host} became ${back.host}`);
  return sort;
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export const formatAddressTarget: Target = {
  name: "formatAddress",
  seeds: HOSTS.map(textOf).flatMap((host) =>
    ["80", "0", "65536", "-1", "1.5", '"80"', "null", "1e3", "-0"].flatMap((port) =>
      utf8(`${host}|${port}`)
    )
  ),
  words: [...WORDS, ...utf8("|", "|80", "|65535", "|1e400", "|[80]", "|true", "|{}")],
  longest: 400,
  check: checkFormat,
  outcomes: ["IPv4", "IPv6", "IPv6 with a zone", "a name", "InvalidInput: formatAddress: port"],
  worst: textWorst("formatAddress", (host) => formatAddress({ host, port: 80 }), (text) => text),
};

function octetsOf(host: string): number[] {
  const name = new URL(`http://${host.includes(":") ? `[${host}]` : host}/`).hostname;
  if (!name.startsWith("[")) return name.split(".").map(Number);
  const [head, tail] = name.slice(1, -1).split("::").map((half) =>
    half === "" ? [] : half.split(":").map((group) => parseInt(group, 16))
  );
  const zeros = tail === undefined ? [] : new Array(8 - head.length - tail.length).fill(0);
  const octets = [...head, ...zeros, ...tail ?? []].flatMap((group) => [group >> 8, group & 255]);
  const mapped = octets.slice(0, 12).every((octet, index) => octet === (index < 10 ? 0 : 255));
  return mapped ? octets.slice(12) : octets;
}

function isInside(host: string, network: string, prefix: number): boolean {
  const [a, b] = [host, network].map((text) =>
    octetsOf(text).map((octet) => octet.toString(2).padStart(8, "0")).join("")
  );
  return a.length === b.length && a.slice(0, prefix) === b.slice(0, prefix);
}

const PEERS = ["127.0.0.1", "10.1.2.3", "192.0.2.7", "0.0.0.0", "::1", "::", "fd00::1"]
  .concat(["2001:db8::1", "::ffff:10.1.2.3", "255.255.255.255", "localhost", ""]);

/** Reads networks, one a line, and compares the trust list with arithmetic. */
function checkTrust(input: Uint8Array): string {
  const entries = textOf(input).split("\n");
  const made = outcomeOf(() => new TrustList("serve", entries), "serve", "InvalidInput");
  if ("error" in made) return sortOf(made.error);
  for (const peer of PEERS) {
    const isAddress = peer !== "" && peer !== "localhost";
    const inside = isAddress && entries.some((entry) => {
      const [host, prefix] = entry.split("/");
      const length = octetsOf(host).length * 8;
      // A network of IPv4 that is written as IPv6 has 96 more bits in its prefix.
      const more = host.includes(":") && length === 32 ? 96 : 0;
      return isInside(peer, host, prefix === undefined ? length : Number(prefix) - more);
    });
    assertEquals(made.value.has(peer), inside, `${peer} in ${JSON.stringify(entries)}`);
  }
  return `${entries.length > 1 ? "networks" : "a network"}`;
}

export const trustListTarget: Target = {
  name: "proxyProtocol.trust",
  seeds: utf8(
    ...["10.0.0.0/8", "::1", "192.0.2.7/32", "0.0.0.0/0", "::/0", "fd00::/8", "2001:db8::/33"],
    ...["::ffff:10.0.0.0/104", "::ffff:192.0.2.7", "10.0.0.0/8\n::1\n127.0.0.1", "10.1.2.3/33"],
    ...["10.0.0.0/08", "localhost", "10.0.0.0/", "/8", "::/129", ""],
  ),
  words: [...WORDS, ...utf8("\n", "/", "/0", "/8", "/32", "/33", "/64", "/96", "/128", "/129")],
  longest: 300,
  check: checkTrust,
  outcomes: ["a network", "networks", "InvalidInput"],
  worst: textWorst("serve", (text) => new TrustList("serve", [text]), (text) => text),
};
