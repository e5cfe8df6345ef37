import { assert, assertEquals } from "@std/assert";
import { formatAddress, parseAddress } from "../../../mod.ts";
import { TrustList } from "../../../proxy_protocol/trust_list.ts";
import { thrown } from "../../support/socket_errors.ts";

for (
  const host of [
    ...["fe80::1%eth0", "fe80::1%1", "fe80::1%25eth0", "FE80::1%Eth0", "ff02::1%wlan0", "::1%lo"],
    ...["fe80::1%eth0.100", "fe80::1%br-lan_0~1", "fe80::1%a", `fe80::1%${"a".repeat(15)}`],
    ...["fe80::192.0.2.1%eth0", "1:2:3:4:5:6:7:8%9"],
  ]
) {
  Deno.test(`E14: parseAddress() and formatAddress() take the zone of ${host}`, () => {
    const address = { host, port: 80 };
    assertEquals(formatAddress(address), `[${host}]:80`);
    assertEquals(parseAddress(`[${host}]:80`), address);
  });
}

for (
  const [host, reason] of [
    ["fe80::1%", "has a zone that is not 1 to 15"],
    [`fe80::1%${"a".repeat(16)}`, "has a zone that is not 1 to 15"],
    ["fe80::1%eth 0", "has a zone that is not 1 to 15"],
    ["fe80::1%eth0\n", "has a zone that is not 1 to 15"],
    ["fe80::1%eth/0", "has a zone that is not 1 to 15"],
    ["fe80::1%é", "has a zone that is not 1 to 15"],
    ["fe80::1%eth0%eth1", "has a zone that is not 1 to 15"],
    ["fe80::1%%eth0", "has a zone that is not 1 to 15"],
    ["fe80::1%[", "has a zone that is not 1 to 15"],
    ["fe80::1%fe80::1", "has a zone that is not 1 to 15"],
    ["fe80::g%eth0", "is not an IPv6 address"],
    ["%eth0:", "is not an IPv6 address"],
    ["::ffff:127.0.0.1%lo", "IPv4 addresses do not have"],
    ["::ffff:7f00:1%1", "IPv4 addresses do not have"],
    ["127.0.0.1%lo", "only IPv6 addresses have"],
    ["localhost%lo", "only IPv6 addresses have"],
  ]
) {
  Deno.test(`E1: formatAddress() refuses the host ${JSON.stringify(host)}: it ${reason}`, () => {
    const call = () => formatAddress({ host, port: 80 });
    const { message } = thrown(call, "InvalidInput", "formatAddress");
    assert(message.includes(reason), message);
  });
}

Deno.test("P1: an address with a zone is in no trusted network, and is no trusted address", () => {
  const trust = new TrustList("serve", ["fe80::/10"]);
  assertEquals(["fe80::1", "fe80::1%eth0", "fe80::1%"].map((host) => trust.has(host)), [
    ...[true, false, false],
  ]);
  const call = () => new TrustList("serve", ["fe80::1%eth0"]);
  const { message } = thrown(call, "InvalidInput", "serve");
  assert(message.includes("fe80::1%eth0"), message);
});
