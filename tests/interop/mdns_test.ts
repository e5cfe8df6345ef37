/** The example for multicast DNS with the original daemon, Avahi, in networks of their own. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ADDRESSES, DEVICE, Network, type Side } from "../faults/support/network.ts";
import { STABLE } from "../faults/support/run.ts";
import { Avahi, Running } from "./support/avahi.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const BACKENDS = [
  { title: "Deno.listenDatagram", flags: ["--unstable-net"] },
  { title: "node:dgram", flags: [] },
];
const SERVICE = ["_http._tcp", "8000", "--text", "path=/x"];
/** The name `My 1.2 page` as Avahi prints it. */
const LISTED = "IPv4;My\\0321\\.2\\032page;";

/** Makes a network of two hosts whose routes lead multicast to the link. */
async function makeNetwork(): Promise<Network> {
  const network = await Network.make();
  for (const side of ["a", "b"] as const) {
    await network.ip(side, "route", "add", "224.0.0.0/4", "dev", DEVICE);
  }
  return network;
}

function run(network: Network, side: Side, flags: readonly string[], ...args: string[]): Running {
  const deno = [Deno.execPath(), "run", "--no-prompt", ...STABLE, ...flags, "--allow-net"];
  const [program, ...rest] = args;
  return new Running(network, side, [...deno, `${ROOT}${program}`, ...rest]);
}

function announce(network: Network, side: Side, flags: readonly string[], name: string): Running {
  const at = ["--interface", ADDRESSES[side][4]];
  return run(network, side, flags, "examples/mdns.ts", "announce", name, ...SERVICE, ...at);
}

for (const { title, flags } of BACKENDS) {
  for (const side of ["a", "b"] as const) {
    const where = side === "b" ? "the same host" : "another host";
    Deno.test(`avahi-browse sees a service of ${where} that comes and goes, on ${title}`, async () => {
      await using network = await makeNetwork();
      await using avahi = await Avahi.start(network, "b");
      const browser = avahi.run("avahi-browse", "-rp", "_http._tcp");
      await using service = announce(network, side, flags, "My 1.2 page");
      await service.until('announced "My 1.2 page"');
      const line = `=;${DEVICE};${LISTED}Web Site;local;`;
      await browser.until(line);
      await browser.until("\n");
      const shown = browser.output.text.split("\n").find((text) => text.startsWith(line))!;
      const [host, address, port, text] = shown.slice(line.length).split(";");
      assert(/^sockets-[0-9a-f]{8}\.local$/.test(host), host);
      assertEquals([address, port, text], [ADDRESSES[side][4], "8000", '"path=/x"']);
      service.signal("SIGTERM");
      assertEquals(await service.end(), 0);
      // The record is taken back: Avahi forgets it a second later, and not after two minutes.
      await browser.until(`-;${DEVICE};${LISTED}Web Site;local`);
    });
  }

  Deno.test(`mdns.ts finds a service of avahi-publish, on ${title}`, async () => {
    await using network = await makeNetwork();
    await using avahi = await Avahi.start(network, "b");
    const publisher = avahi.run("avahi-publish", "-s", "Printer 1", "_ipp._tcp", "631", "a=b", "c");
    await publisher.until("Established");
    for (const more of [[], ["--interface", ADDRESSES.a[4]]]) {
      const found = run(network, "a", flags, "examples/mdns.ts", "browse", "_ipp._tcp", ...more);
      assertEquals(await found.end(), 0);
      assertEquals(found.output.text, `Printer 1: ${ADDRESSES.b[4]}:631 a=b c\n`);
    }
    const none = run(network, "a", flags, "examples/mdns.ts", "browse", "_none._udp");
    assertEquals(await none.end(), 0);
    assertEquals(none.output.text, "no service _none._udp.local answered\n");
  });

  Deno.test(`mdns.ts announces no name that Avahi has, on ${title}`, async () => {
    await using network = await makeNetwork();
    await using avahi = await Avahi.start(network, "b");
    const publisher = avahi.run("avahi-publish", "-s", "mine", "_http._tcp", "80");
    await publisher.until("Established");
    await using service = announce(network, "a", flags, "Mine");
    assertEquals(await service.end(), 2);
    assertEquals(service.output.text, 'the name "Mine" is taken\n');
  });

  Deno.test(`mdns.ts answers a resolver that is no member, on ${title}`, async () => {
    await using network = await makeNetwork();
    await using service = announce(network, "b", flags, "page");
    await service.until("announced");
    const program = "tests/interop/programs/mdns_question.ts";
    const question = run(network, "a", flags, program, ADDRESSES.a[4], "_http._tcp");
    assertEquals(await question.end(), 0, question.output.text);
    const { id, isAnswer, questions, records } = JSON.parse(question.output.text);
    assertEquals([id, isAnswer, questions.length, records.length], [4711, true, 1, 5]);
    assertStringIncludes(JSON.stringify(records), ADDRESSES.b[4]);
    assert(records.every(({ ttl }: { ttl: number }) => ttl === 10));
  });
}
