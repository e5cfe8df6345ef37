import { assertEquals } from "@std/assert";
import {
  assertRefused,
  closeUdpBoth,
  provesUdpWell,
  UDP_BACKENDS,
  udpHosts,
} from "./support/datagrams.ts";
import { faultTest } from "./support/fault_test.ts";
import { assertInjected, forEach, inject, type Meaning } from "./support/injecting.ts";

const SENDING: readonly Meaning[] = [
  ["ENETUNREACH", "Unreachable", true],
  ["EHOSTUNREACH", "Unreachable", true],
  ["ENETDOWN", "Unreachable", true],
  ["ECONNREFUSED", "ConnectionRefused", true],
  ["EADDRNOTAVAIL", "AddressNotAvailable", true],
  ["ENOBUFS", "ResourceExhausted", true],
  ["ENOMEM", "ResourceExhausted", true],
  ["EPERM", "PermissionDenied", false],
  ["EACCES", "PermissionDenied", false],
  ["EINVAL", "InvalidInput", false],
];

/** The errors that ICMP messages cause, and those of a kernel that is short of memory. */
const RECEIVING = ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "ENOBUFS", "ENOMEM"];

for (const { title, flags } of UDP_BACKENDS) {
  faultTest(
    `U4: sendto fails with each errno on ${title}: its kind, and the socket goes on`,
    async (network) => {
      await forEach(SENDING, async ([errno, kind, retryable]) => {
        const hosts = await udpHosts(network, {
          flags,
          ...await inject("sendto", `error=${errno}`),
        });
        const { sender, to } = hosts;
        const { failures } = await sender.do("sendNumbered", { on: "it", to, count: 1, size: 100 });
        assertEquals(failures.length, 1);
        assertRefused(failures[0], title, kind, errno);
        assertEquals(failures[0].retryable, title === "node:dgram" ? false : retryable);
        assertInjected(sender);
        await provesUdpWell(hosts);
        await closeUdpBoth(hosts);
      });
    },
  );

  faultTest(
    `U4: recvfrom fails with each errno on ${title}: no call fails, nothing is lost`,
    async (network) => {
      await forEach(RECEIVING, async (errno) => {
        const options = await inject("recvfrom", `error=${errno}`, "1..3");
        const hosts = await udpHosts(network, { flags, ...options });
        const { sender, receiver, to } = hosts;
        const receiving = receiver.do("recvNumbered", { on: "it", most: 3, timeout: 5000 });
        const sent = await sender.do("sendNumbered", { on: "it", to, count: 3, size: 100 });
        assertEquals(sent, { sent: 3, failures: [] });
        assertEquals(await receiving, { numbers: [0, 1, 2], intact: true });
        assertInjected(receiver, 3);
        await provesUdpWell(hosts);
        await closeUdpBoth(hosts);
      });
    },
  );
}
