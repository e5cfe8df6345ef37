import { assertEquals } from "@std/assert";
import { UDP_BACKENDS } from "./support/datagrams.ts";
import { faultTest } from "./support/fault_test.ts";
import { ADDRESSES, DEVICE } from "./support/network.ts";
import { STABLE } from "./support/run.ts";

const PROGRAM = new URL("programs/link_local.ts", import.meta.url).pathname;

for (const { title, flags } of UDP_BACKENDS) {
  faultTest(
    `multicast reaches the same machine, and IPv6 zones are hosts, on ${title}`,
    async (network) => {
      await network.ip("a", "route", "add", "224.0.0.0/4", "dev", DEVICE);
      const shown = await network.ip("a", "-o", "addr", "show", "dev", DEVICE, "scope", "link");
      const linkLocal = `${/inet6 ([^/]+)/.exec(shown)![1]}%${DEVICE}`;
      const deno = [Deno.execPath(), "run", "-A", ...STABLE, "--no-check", ...flags];
      const output = await network.exec("a", ...deno, PROGRAM, ADDRESSES.a[4], linkLocal);
      assertEquals(JSON.parse(output.split("\n").at(-1)!), {
        four: 3,
        six: 3,
        udp: 3,
        tcp: linkLocal,
      });
    },
  );
}
