/**
 * Leaves tests out that cannot run in memory. It replaces `Deno.test`, since `--filter` cannot say which tests not to
 * run; every test file imports this before it registers its tests.
 *
 * @module
 */

/** Beginnings of the titles, by the reason. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "its peer is a socket of node:net": [
    "TCP on IPv4",
    "listenerOver and connectionOver",
    "TCP on IPv6",
    "V3: each host has its own maxConnectionsPerHost",
    "V7: serve() goes on after clients that reset",
  ],
  "it replaces the runtime's listener": [
    "R7: nothing is read ahead for a handler",
    "V2: at maxConnections the runtime is not asked",
    "V7: a system that is out of descriptors",
    "V7: serve() goes on when there are descriptors",
    "V7: shutdown() waits for descriptors",
  ],
  "a network in memory has neither zones nor interfaces": [
    "U10:",
    "U11:",
    "U12:",
    "U13:",
    "bindUdp() and sendTo() take an IPv6 zone",
    "listen() and connect() take an IPv6 zone",
    "an unknown zone",
  ],
};

const BEGINNINGS = Object.values(LEFT_OUT).flat();
const register = Deno.test as (test: string | Deno.TestDefinition, run?: unknown) => void;

Object.assign(Deno, {
  test(test: string | Deno.TestDefinition, run?: unknown): void {
    const title = typeof test === "string" ? test : test.name;
    if (!BEGINNINGS.some((beginning) => title.startsWith(beginning))) register(test, run);
  },
});
