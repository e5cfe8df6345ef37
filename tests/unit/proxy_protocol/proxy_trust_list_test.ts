import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { TrustList } from "../../../proxy_protocol/trust_list.ts";
import { thrown } from "../../support/socket_errors.ts";
import { randomRuns } from "../../support/runs.ts";

function trust(...entries: string[]): TrustList {
  return new TrustList("serve", entries);
}

/** Networks, each with addresses inside it and addresses outside. */
const NETWORKS: readonly (readonly [string, string[], string[]])[] = [
  ["10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"], ["9.255.255.255", "11.0.0.0"]],
  ["192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7", "::FFFF:C000:207"], ["192.0.2.6", "192.0.2.8"]],
  ["192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.8"]],
  ["192.0.2.6/31", ["192.0.2.6", "192.0.2.7"], ["192.0.2.5", "192.0.2.8"]],
  ["0.0.0.0/0", ["0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"], ["::", "::1", "fd00::1"]],
  ["128.0.0.0/1", ["128.0.0.0", "255.255.255.255"], ["127.255.255.255"]],
  // The bits behind the prefix do not count.
  ["10.1.2.3/8", ["10.9.9.9"], ["11.1.2.3"]],
  ["::1", ["::1", "0:0:0:0:0:0:0:1"], ["::", "::2", "0.0.0.1", "::ffff:0.0.0.1"]],
  ["::1/128", ["::1"], ["::", "::2"]],
  ["fd00::/8", ["fd00::", "fdff:ffff::1"], ["fc00::", "fe00::", "10.0.0.1"]],
  ["2001:db8::/33", ["2001:db8:7fff::"], ["2001:db8:8000::"]],
  ["::/0", ["::", "::1", "ffff::"], ["0.0.0.0", "10.0.0.1", "::ffff:10.0.0.1"]],
  ["::ffff:10.0.0.0/104", ["10.1.2.3", "::ffff:10.1.2.3"], ["11.0.0.1", "::a00:1"]],
  ["::ffff:192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8"]],
  ["::ffff:0:0/96", ["1.2.3.4"], ["::1"]],
  ["::ffff:10.1.2.3/127", ["10.1.2.2", "10.1.2.3"], ["10.1.2.1", "10.1.2.4"]],
  ["::/96", ["::", "::1.2.3.4", "::ffff:ffff"], ["1.2.3.4", "::ffff:1.2.3.4", "::1:0:0"]],
  ["fe80::/10", ["fe80::1", "febf::1"], ["fec0::1", "fe7f::1", "fe80::1%eth0", "fe80::1%1"]],
  // A prefix within a byte, and one at its end.
  ["10.0.0.0/9", ["10.127.255.255"], ["10.128.0.0"]],
  ["10.0.0.0/15", ["10.1.255.255"], ["10.2.0.0"]],
  ["10.0.0.0/16", ["10.0.255.255"], ["10.1.0.0"]],
  ["2001:db8::/127", ["2001:db8::", "2001:db8::1"], ["2001:db8::2"]],
];

Deno.test("P1: a trust list has the addresses inside its networks, and no others", () => {
  for (const [network, inside, outside] of NETWORKS) {
    for (const list of [trust(network), trust("203.0.113.1", network, "2001:db8:ffff::1")]) {
      for (const host of inside) assert(list.has(host), `${host} in ${network}`);
      for (const host of outside) assert(!list.has(host), `${host} not in ${network}`);
    }
  }
});

/** Texts that are no address, and addresses with a zone, which the runtime does not give for a peer. */
const NO_ADDRESSES = [
  ...["", " ", "localhost", "10.0.0", "010.0.0.1", "10.0.0.1 ", "10.0.0.1/8", "1", "0x0a000001"],
  ...["10.0.0.1:80", "10.0.0.256", "10.0.0.-1", "10.0.0.1%lo", "10.0.0.1%", "%", "%lo"],
  ...["[::1]", "::1%lo", "::1%", "fe80::1%eth0", "::ffff:10.0.0.1%lo", "::ffff:10.0.0.1%"],
  ...["::ffff:10.0.0.256", "::ffff:10.0.0", "1:2:3:4:5:6:7:8:9", ":::", "::1::", "::g"],
];

Deno.test("P1: a trust list for all addresses has no text that is none, and no zone", () => {
  const list = trust("0.0.0.0/0", "::/0");
  for (const host of NO_ADDRESSES) assert(!list.has(host), host);
});

const RIGHT = 'write an address or a network, such as "10.0.0.0/8" or "::1", or "unix"';

const REFUSED: readonly (readonly [unknown, string])[] = [
  [undefined, `trust is undefined, not an array: ${RIGHT}`],
  ["10.0.0.0/8", `trust is "10.0.0.0/8", not an array: ${RIGHT}`],
  [new Set(["10.0.0.0/8"]), `trust is an object of another kind, not an array: ${RIGHT}`],
  [[], `trust is empty, which trusts nobody: ${RIGHT}`],
  [[undefined], `trust has undefined: ${RIGHT}`],
  [["10.0.0.0/8", null], `trust has null: ${RIGHT}`],
  ...[
    "",
    "/8",
    "localhost",
    "example.com/24",
    "*",
    "10.0.0.0/",
    "10.0.0.0/08",
    "10.0.0.0/-1",
    "10.0.0.0/+8",
    "10.0.0.0/1.5",
    "10.0.0.0/8/8",
    "10.0.0.0/255.0.0.0",
    " 10.0.0.0/8",
    "10.0.0.0/8 ",
    "10.0.0.0 /8",
    "10.0.0/8",
    "10",
    "0x0a000001",
    "010.0.0.0/8",
    "256.0.0.0/8",
    "10.0.0.1:80",
    "[::1]",
    "::1%lo",
    "fe80::1%eth0/10",
    "fe80::%1/10",
    "::ffff:10.0.0.1%lo",
    "::ffff:10.0.0.0%/104",
    "10.0.0.0%lo/8",
    "::g/8",
    "::1/1234",
    "10.0.0.0/8\n",
  ].map((entry) =>
    [[entry], `trust has ${JSON.stringify(entry)}, which is none of these: ${RIGHT}`] as const
  ),
  [["10.0.0.0/33"], 'trust has "10.0.0.0/33", whose prefix must be a number from 0 to 32'],
  [["10.0.0.0/128"], 'trust has "10.0.0.0/128", whose prefix must be a number from 0 to 32'],
  [["::1/129"], 'trust has "::1/129", whose prefix must be a number from 0 to 128'],
  [["::1/999"], 'trust has "::1/999", whose prefix must be a number from 0 to 128'],
  [["10.0.0.0/999"], 'trust has "10.0.0.0/999", whose prefix must be a number from 0 to 32'],
  ...[0, 8, 95].map((prefix) =>
    [
      [`::ffff:10.0.0.0/${prefix}`],
      `trust has "::ffff:10.0.0.0/${prefix}": write the IPv4 network 10.0.0.0 in its own form`,
    ] as const
  ),
  [
    ["::ffff:10.0.0.0/95"],
    'trust has "::ffff:10.0.0.0/95": write the IPv4 network 10.0.0.0 in its own form',
  ],
];

Deno.test("P1: a trust list with an entry that is no network is InvalidInput, and says what would be right", () => {
  for (const [entries, reason] of REFUSED) {
    const error = thrown(
      () => new TrustList("serve", entries as string[]),
      "InvalidInput",
      "serve",
      reason,
    );
    assertEquals(error.message, `serve: ${reason}`);
  }
});

Deno.test("P1: a trust list with a hole is InvalidInput", () => {
  thrown(() => new TrustList("serve", new Array<string>(2)), "InvalidInput", "serve");
});

Deno.test("P1: a trust list agrees with arithmetic on IPv4 networks", () => {
  const octets = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 4, maxLength: 4 });
  const bits = (quad: number[]) => quad.map((octet) => octet.toString(2).padStart(8, "0")).join("");
  fc.assert(
    fc.property(octets, octets, fc.nat(32), fc.boolean(), (network, host, prefix, near) => {
      // Two random addresses share too few bits to be in one network.
      if (near) host = network.map((octet, index) => index < 3 ? octet : host[index]);
      const inside = bits(network).slice(0, prefix) === bits(host).slice(0, prefix);
      const list = trust(`${network.join(".")}/${prefix}`);
      assertEquals(list.has(host.join(".")), inside);
      assertEquals(list.has(`::ffff:${host.join(".")}`), inside);
    }),
    { numRuns: randomRuns(10_000) },
  );
});

Deno.test("P1: a trust list agrees with arithmetic on IPv6 networks", () => {
  const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
    // IPv4 that IPv6 carries has tests of its own.
    .filter((all) => all[5] !== 0xffff);
  const text = (all: number[]) => all.map((group) => group.toString(16)).join(":");
  const bits = (all: number[]) => all.map((group) => group.toString(2).padStart(16, "0")).join("");
  fc.assert(
    fc.property(groups, groups, fc.nat(128), fc.nat(8), (network, other, prefix, shared) => {
      const host = network.map((group, index) => index < shared ? group : other[index]);
      const inside = bits(network).slice(0, prefix) === bits(host).slice(0, prefix);
      assertEquals(trust(`${text(network)}/${prefix}`).has(text(host)), inside);
    }),
    { numRuns: randomRuns(10_000) },
  );
});
