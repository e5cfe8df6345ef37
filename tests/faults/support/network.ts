import { assertEquals } from "@std/assert";
import { command, must } from "./commands.ts";
import { Host, type HostOptions } from "./host.ts";
import { Relay, type RelayOptions } from "./relay.ts";
import { RUN } from "./run.ts";

/** The names of the sides of a network. Most have two; side c is behind side b. */
export type Side = "a" | "b" | "c";

export const ADDRESSES = {
  a: { 4: "10.77.0.1", 6: "fd77::1" },
  b: { 4: "10.77.0.2", 6: "fd77::2" },
  c: { 4: "10.78.0.2", 6: "fd78::2" },
} as const;

/** The addresses of side b on the link to side c. */
export const SECOND_ADDRESSES = { 4: "10.78.0.1", 6: "fd78::1" } as const;
/** The name of side b's device on the link to side c. */
export const SECOND_DEVICE = "second";

/** The name of each side's network device. */
export const DEVICE = "wire";

/** Longer than the kernel keeps orphaned sockets after the network works again (ms). */
const ORPHANS_MS = 15_000;

/**
 * Settings that make faults fast and leftovers visible. Addresses skip duplicate detection, which takes seconds, and
 * ICMP messages are not limited. If the kernel has the setting, retransmissions come soon, so that a loss costs a
 * fraction of a second and a series of losses less than a minute. There is no TIME-WAIT, and orphans do not wait long
 * for a peer that is gone. So a socket that remains in `ss` is a leak.
 */
const SETUP = `
cd /proc/sys/net
echo 0 >ipv6/conf/default/accept_dad
echo 0 >ipv4/icmp_ratelimit
echo 0 >ipv6/icmp/ratelimit
[ ! -e ipv4/tcp_rto_min_us ] || echo 20000 >ipv4/tcp_rto_min_us
[ ! -e ipv4/tcp_rto_max_ms ] || echo 1000 >ipv4/tcp_rto_max_ms
echo 0 >ipv4/tcp_max_tw_buckets
echo 1 >ipv4/tcp_fin_timeout
ip link set lo up
`;

/** Longer than the kernel takes to notice that a link is up (ms). */
const LINK_MS = 20_000;

export interface NetworkOptions {
  /** Carries the packets through a relay instead of a pair of devices. */
  readonly relay?: RelayOptions;
  /**
   * True if side a is alone and the relay returns each packet as if side b had sent it. A process that connects to side
   * b then has both ends of the connection, with the link between them.
   */
  readonly mirror?: boolean;
  /** True if there is a third side, and side b routes between the other two. */
  readonly routed?: boolean;
}

/** Two hosts with a link between them, or three, each in a network namespace of its own. */
export class Network implements AsyncDisposable {
  relay: Relay | undefined;
  readonly #name = `${RUN}-${crypto.randomUUID().slice(0, 8)}`;
  readonly #sides: readonly Side[];
  readonly #hosts: Host[] = [];

  private constructor(sides: readonly Side[]) {
    this.#sides = sides;
  }

  static async make(
    { relay, mirror = false, routed = false }: NetworkOptions = {},
  ): Promise<Network> {
    const network = new Network(mirror ? ["a"] : routed ? ["a", "b", "c"] : ["a", "b"]);
    try {
      await network.#make(relay);
      if (routed) await network.#route();
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  /** Returns the name of a side's namespace for `ip`. */
  space(side: Side): string {
    return `${this.#name}-${side}`;
  }

  async #make(relay: RelayOptions | undefined): Promise<void> {
    const sides = this.#sides;
    for (const side of sides) {
      await must("ip", "netns", "add", this.space(side));
      await this.sh(side, SETUP);
    }
    if (relay === undefined) {
      const peer = ["peer", "name", DEVICE, "netns", this.space("b")];
      await this.ip("a", "link", "add", DEVICE, "type", "veth", ...peer);
    } else {
      this.relay = await Relay.start(relay, DEVICE, sides.map((side) => this.space(side)));
    }
    for (const side of sides.slice(0, 2)) await this.#address(side, DEVICE, ADDRESSES[side]);
  }

  /** Makes side b a router. Without it, nothing passes from side a to side c. */
  async #route(): Promise<void> {
    const peer = ["peer", "name", DEVICE, "netns", this.space("c")];
    await this.ip("b", "link", "add", SECOND_DEVICE, "type", "veth", ...peer);
    await this.#address("b", SECOND_DEVICE, SECOND_ADDRESSES);
    await this.#address("c", DEVICE, ADDRESSES.c);
    await this.sh("b", "echo 1 >/proc/sys/net/ipv4/ip_forward");
    await this.ip("a", "route", "add", "default", "via", ADDRESSES.b[4]);
    await this.ip("c", "route", "add", "default", "via", SECOND_ADDRESSES[4]);
  }

  async #address(
    side: Side,
    device: string,
    { 4: four, 6: six }: { readonly 4: string; readonly 6: string },
  ): Promise<void> {
    await this.ip(side, "addr", "add", `${four}/24`, "dev", device);
    await this.ip(side, "addr", "add", `${six}/64`, "dev", device);
    await this.ip(side, "link", "set", device, "up");
  }

  /** Waits until a device has its link-local address, which comes up to a second after its link is up. */
  async waitLinkLocal(side: Side, device: string): Promise<void> {
    const until = performance.now() + LINK_MS;
    for (;;) {
      const shown = await this.ip(side, "-o", "addr", "show", "dev", device, "scope", "link");
      if (shown.includes("fe80:") && !shown.includes("tentative")) return;
      if (performance.now() > until) throw new Error(`no link-local address: ${shown}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Runs `ip` for one side. */
  ip(side: Side, ...args: string[]): Promise<string> {
    return must("ip", "-n", this.space(side), ...args);
  }

  /** Runs a command on one side. */
  exec(side: Side, ...args: string[]): Promise<string> {
    return must("ip", "netns", "exec", this.space(side), ...args);
  }

  /** Runs shell commands on one side, until one fails. */
  sh(side: Side, script: string): Promise<string> {
    return this.exec(side, "sh", "-ec", script);
  }

  /** Adds rules to a side's firewall, for incoming or outgoing packets. */
  async filter(side: Side, hook: "input" | "output", ...rules: string[]): Promise<void> {
    const base = `type filter hook ${hook} priority 0; policy accept;`;
    const chain = `chain ${hook} {\n${base}\n${rules.join("\n")}\n}`;
    await this.exec(side, "nft", `table inet ${hook} {\n${chain}\n}`);
  }

  /** Removes the rules of a side's firewall. */
  async heal(side: Side): Promise<void> {
    await this.exec(side, "nft", "flush", "ruleset");
  }

  /** Starts a host program on one side. */
  async host(side: Side, options: HostOptions = {}): Promise<Host> {
    const host = await Host.start(this.space(side), options);
    this.#hosts.push(host);
    return host;
  }

  /** Starts a host program on each side. */
  hosts(options: HostOptions = {}): Promise<[Host, Host]> {
    return Promise.all([this.host("a", options), this.host("b", options)]);
  }

  /** Lists the sockets of a side's kernel. */
  sockets(side: Side): Promise<string> {
    return this.sh(side, "ss -tanH; ss -uanH");
  }

  /**
   * Checks that no running host has an open descriptor, and that no kernel has a socket. It removes the firewalls
   * first, because a kernel keeps an orphaned socket until the peer has answered.
   */
  async proveClean(): Promise<void> {
    for (const side of this.#sides) await this.heal(side);
    for (const host of this.#hosts) await host.proveClean();
    for (const side of this.#sides) {
      const until = performance.now() + ORPHANS_MS;
      let left = await this.sockets(side);
      while (left !== "" && performance.now() < until) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        left = await this.sockets(side);
      }
      assertEquals(left, "", `sockets that are left on side ${side}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts) await host[Symbol.asyncDispose]();
    await this.relay?.[Symbol.asyncDispose]();
    for (const side of this.#sides) {
      await command("ip", "netns", "del", this.space(side));
      await Deno.remove(`/etc/netns/${this.space(side)}`, { recursive: true }).catch(() => {});
    }
  }
}
