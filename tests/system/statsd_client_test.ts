import { assert, assertEquals } from "@std/assert";
import { bindUdp, closeUdp, recvFrom, type UdpSocket } from "../../mod.ts";
import { StatsdClient } from "../../examples/statsd_client.ts";
import { LOOPBACK } from "../support/open_handles.ts";
import { soon } from "../support/socket_errors.ts";
import { turns } from "../support/turns.ts";
import { watchUnhandled } from "../support/unhandled.ts";
import { Example } from "./support/example.ts";

/** No timer of a client comes before the test is over (ms). */
const NEVER = 1_000_000;

async function nextLines(server: UdpSocket): Promise<string[]> {
  return new TextDecoder().decode((await soon(recvFrom(server))).bytes).split("\n");
}

Deno.test("the statsd client sends counters, gauges and timings in one datagram", async () => {
  await using server = await bindUdp(LOOPBACK);
  const stats = new StatsdClient(server.address, { prefix: "shop.", flushInterval: NEVER });
  stats.count("orders");
  stats.count("orders", 5);
  stats.gauge("queue", 17);
  stats.gauge("balance", -3);
  stats.time("query", 12.5);
  stats.count("a:b|c d\n@e");
  stats.flush();
  assertEquals(await nextLines(server), [
    "shop.orders:1|c",
    "shop.orders:5|c",
    "shop.queue:17|g",
    "shop.balance:0|g",
    "shop.balance:-3|g",
    "shop.query:12.5|ms",
    "shop.a_b_c_d__e:1|c",
  ]);
  await stats[Symbol.asyncDispose]();
  assertEquals(stats.dropped, 0);
});

Deno.test("the statsd client fills datagrams up to maxBytes, and sends them without a flush", async () => {
  await using server = await bindUdp(LOOPBACK);
  const stats = new StatsdClient(server.address, { maxBytes: 20, flushInterval: NEVER });
  // Each has 5 bytes, so three and two line breaks make 17, and a fourth would make 23.
  for (let count = 0; count < 7; count++) stats.count(`${count}`, 1);
  const line = (count: number) => `${count}:1|c`;
  assertEquals(await nextLines(server), [0, 1, 2].map(line));
  assertEquals(await nextLines(server), [3, 4, 5].map(line));
  // Closing sends the rest.
  await stats[Symbol.asyncDispose]();
  assertEquals(await nextLines(server), [line(6)]);
  // With the line break it has exactly 20 bytes.
  const exact = new StatsdClient(server.address, { maxBytes: 11, flushInterval: NEVER });
  exact.count("0", 1);
  exact.count("1", 1);
  exact.count("2", 1);
  assertEquals(await nextLines(server), [line(0), line(1)]);
  await exact[Symbol.asyncDispose]();
  assertEquals(await nextLines(server), [line(2)]);
  assertEquals([stats.dropped, exact.dropped], [0, 0]);
});

Deno.test("the statsd client sends what does not fill a datagram after flushInterval", async () => {
  await using server = await bindUdp(LOOPBACK);
  await using stats = new StatsdClient(server.address, { flushInterval: 5 });
  stats.count("a");
  assertEquals(await nextLines(server), ["a:1|c"]);
  stats.count("b");
  assertEquals(await nextLines(server), ["b:1|c"]);
});

Deno.test("the statsd client resolves a name once, and again after resolveInterval", async () => {
  await using first = await bindUdp(LOOPBACK);
  await using second = await bindUdp({ host: "127.0.0.2", port: first.address.port });
  const asked: PromiseWithResolvers<string>[] = [];
  const resolve = (host: string) => {
    assertEquals(host, "stats.example");
    const lookup = Promise.withResolvers<string>();
    asked.push(lookup);
    return lookup.promise;
  };
  const server = { host: "stats.example", port: first.address.port };
  const send = async (stats: StatsdClient, name: string, to: UdpSocket) => {
    stats.count(name);
    stats.flush();
    assertEquals(await nextLines(to), [`${name}:1|c`]);
  };
  const once = new StatsdClient(server, { resolve, resolveInterval: NEVER, flushInterval: NEVER });
  once.count("waits");
  once.flush();
  await turns();
  asked[0].resolve("127.0.0.1");
  assertEquals(await nextLines(first), ["waits:1|c"]);
  for (let round = 0; round < 5; round++) await send(once, `${round}`, first);
  assertEquals(asked.length, 1);
  await once[Symbol.asyncDispose]();

  const again = new StatsdClient(server, { resolve, resolveInterval: 0, flushInterval: NEVER });
  again.count("waits");
  again.flush();
  await turns();
  asked[1].resolve("127.0.0.1");
  assertEquals(await nextLines(first), ["waits:1|c"]);
  // While the address is asked for again, the old one is in use.
  await send(again, "second", first);
  asked[2].resolve("127.0.0.2");
  await asked[2].promise;
  await send(again, "third", second);
  // The name server is down: the address stays.
  asked[3].reject(new Error("down"));
  await turns();
  await send(again, "fourth", second);
  assertEquals(asked.length, 4);
  await again[Symbol.asyncDispose]();
  assertEquals([once.dropped, again.dropped], [0, 0]);
});

Deno.test("the statsd client never waits for a name server: it counts what finds no room", async () => {
  using unhandled = watchUnhandled();
  await using server = await bindUdp(LOOPBACK);
  const { promise, resolve: answer } = Promise.withResolvers<string>();
  const stats = new StatsdClient({ host: "slow.example", port: server.address.port }, {
    resolve: () => promise,
    flushInterval: NEVER,
  });
  const name = "x".repeat(1000);
  // 1,048 datagrams of these fit into the queue of 1 MiB, and every call returns at once.
  for (let count = 0; count < 2000; count++) stats.count(name);
  stats.flush();
  const lost = stats.dropped;
  assert(lost > 900 && lost < 1000, `${lost}`);
  answer("127.0.0.1");
  assertEquals(await nextLines(server), [`${name}:1|c`]);
  await stats[Symbol.asyncDispose]();
  assertEquals(stats.dropped, lost);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("the statsd client counts metrics for a name that does not exist, and ends all the same", async () => {
  using unhandled = watchUnhandled();
  const stats = new StatsdClient({ host: "nowhere.example", port: 9 }, {
    resolve: () => Promise.reject(new Error("no such name")),
    flushInterval: NEVER,
  });
  for (let count = 0; count < 5; count++) stats.count("a");
  stats.flush();
  assertEquals(stats.dropped, 0);
  await stats[Symbol.asyncDispose]();
  assertEquals(stats.dropped, 5);
  stats.count("late");
  assertEquals(stats.dropped, 6);
  await stats[Symbol.asyncDispose]();
  assertEquals(await unhandled.seen(), []);
});

Deno.test("the statsd client counts metrics that are too long or no numbers", async () => {
  await using server = await bindUdp(LOOPBACK);
  const stats = new StatsdClient(server.address, { maxBytes: 10, flushInterval: NEVER });
  stats.count("far-too-long");
  stats.count("ä".repeat(4));
  for (const value of [NaN, Infinity]) stats.gauge("a", value);
  assertEquals(stats.dropped, 4);
  await stats[Symbol.asyncDispose]();
});

Deno.test("the statsd client is not troubled by a server that is not there", async () => {
  using unhandled = watchUnhandled();
  const gone = await bindUdp(LOOPBACK);
  await closeUdp(gone);
  const stats = new StatsdClient(gone.address, { flushInterval: 1 });
  for (let count = 0; count < 100; count++) {
    stats.count("a");
    stats.flush();
  }
  await stats[Symbol.asyncDispose]();
  assertEquals(stats.dropped, 0);
  assertEquals(await unhandled.seen(), []);
});

Deno.test("the statsd client sends from the command line, and says what was not sent", async () => {
  await using server = await bindUdp(LOOPBACK);
  const address = `127.0.0.1:${server.address.port}`;
  const { code, output } = await Example.run("statsd_client", address, "a:1|c", "b:-2.5|g");
  assertEquals([code, output], [0, "sent 2 metrics\n"]);
  assertEquals(await nextLines(server), ["a:1|c", "b:0|g", "b:-2.5|g"]);
  await using wrong = Example.start("statsd_client", address, "a:1|x");
  assertEquals(await wrong.end(), 2);
  assertEquals(
    await wrong.errors(),
    'a metric is NAME:VALUE|TYPE with the type c, g or ms, not "a:1|x"\n',
  );
  await using unknown = Example.start("statsd_client", "no-such-host.invalid:8125", "a:1|c");
  assertEquals(await unknown.end(), 1);
  assertEquals(await unknown.errors(), "1 of 1 metrics were not sent\n");
});
