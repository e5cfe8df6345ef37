import { assertEquals } from "@std/assert";
import { command } from "./support/commands.ts";
import { ADDRESSES, DEVICE, Network } from "./support/network.ts";
import type { RelayOptions } from "./support/relay.ts";

const PROGRAM = new URL("programs/conformance.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;

interface Link {
  readonly title: string;
  /** The name that the program uses. */
  readonly name: "lossy" | "slow";
  readonly relay: RelayOptions;
  readonly mbit?: number;
  /** The number of rows that run on this link in one direction. */
  readonly rows: number;
}

const LINKS: readonly Link[] = [
  { title: "5 % loss and 20 ms delay", name: "lossy", relay: { loss: 5, delay: 20 }, rows: 23 },
  { title: "1 Mbit/s", name: "slow", relay: {}, mbit: 1, rows: 28 },
];

/** Both directions run at once, each over another family, because most of the time is spent waiting. */
const DIRECTIONS = [
  { family: 4, filter: "/link: /" },
  { family: 6, filter: "/link, other direction: /" },
] as const;

/**
 * Limits the kernel's send buffer. After an abort, the kernel still sends the content of that buffer over the link, and
 * so delays the next row.
 */
const SMALL_BUFFERS = "echo 4096 16384 65536 >/proc/sys/net/ipv4/tcp_wmem";

async function runSuite(
  { name, relay, mbit, rows }: Link,
  { family, filter }: typeof DIRECTIONS[number],
  protocol: "TCP" | "TLS",
): Promise<void> {
  await using network = await Network.make({ relay, mirror: true });
  await network.sh("a", SMALL_BUFFERS);
  if (mbit !== undefined) {
    const shape = `dev ${DEVICE} root tbf rate ${mbit}mbit burst 4kb latency 200ms`;
    await network.sh("a", `tc qdisc add ${shape}`);
  }
  const deno = [Deno.execPath(), "test", "--allow-net", "--no-check", "--config", CONFIG];
  const addresses = [ADDRESSES.a[family], ADDRESSES.b[family]];
  const words = [...deno, "--filter", filter, PROGRAM, "--", ...addresses, name, protocol];
  const { output } = await command("ip", "netns", "exec", network.space("a"), ...words);
  const [, passed, failed] = /\| (\d+) passed .*\| (\d+) failed/.exec(output) ?? [];
  assertEquals([Number(passed), Number(failed)], [rows, 0], output);
  await network.proveClean();
}

for (const link of LINKS) {
  for (const protocol of ["TCP", "TLS"] as const) {
    const what = `the conformance suite of ${protocol}`;
    Deno.test(`${what} holds over a link with ${link.title}, both ways`, async () => {
      const ends = await Promise.allSettled(
        DIRECTIONS.map((direction) => runSuite(link, direction, protocol)),
      );
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    });
  }
}
