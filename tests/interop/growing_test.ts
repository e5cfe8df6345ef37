/**
 * The stages of growth that the documentation describes, with its programs and its configuration: one process, one
 * per core, many machines behind HAProxy.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import { close, connect, parseAddress, recvLine, send } from "../../mod.ts";
import { Example } from "../system/support/example.ts";
import { BareClient } from "../support/bare_client.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { commandHAProxy } from "./support/accounting.ts";
import { startHAProxy } from "./support/haproxy.ts";
import { needProgram } from "./support/packages.ts";

const SERVING = /serving on (127\.0\.0\.1:\d+) as (\d+)/;
const ENDED = /ended after \d+ clients, (\d+) drained, (\d+) aborted/g;

/** Connects a client; gives the process that answers, and the host that it sees. */
async function ask(port: number, from = "127.0.0.1"): Promise<{ host: string; process: string }> {
  const client = await BareClient.connect({ host: "127.0.0.1", port }, from);
  client.write(bytesOf("hello\n"));
  client.finish();
  await client.end();
  await client.closed();
  const [, host, process] = /^hello \((\S+) to (\d+)\)\n$/.exec(textOf(client.received)!) ?? [];
  if (process === undefined) throw new Error(`the answer is ${textOf(client.received)}`);
  return { host, process };
}

async function freePort(): Promise<number> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await Promise.resolve();
  return (listener.addr as Deno.NetAddr).port;
}

Deno.test("V6: one process: after SIGTERM each client gets its answer, then it exits with 0", async () => {
  await using server = Example.start("production_server", "--port", "0");
  const address = parseAddress((await server.until(SERVING))[1]);
  const between = await connect(address);
  await send(between, bytesOf("first\n"));
  assertMatch((await recvLine(between))!, /^first \(127\.0\.0\.1 to \d+\)$/);
  const fresh = await connect(address);
  await send(fresh, bytesOf("a request that is half"));
  server.signal("SIGTERM");
  // The client between requests is closed, which shows that the signal has come.
  assertEquals(await recvLine(between), null);
  await send(fresh, bytesOf(" there\n"));
  assertMatch((await recvLine(fresh))!, /^a request that is half there \(/);
  assertEquals(await recvLine(fresh), null);
  await Promise.all([close(between), close(fresh)]);
  assertEquals(await server.end(), 0);
  assertMatch(server.output, /ended after 2 clients, 2 drained, 0 aborted\n$/);
  assertEquals(await server.errors(), "");
});

Deno.test("one per core: processes share a port, a lost one is replaced, SIGTERM ends all", async () => {
  const port = await freePort();
  const args = ["2", "examples/production_server.ts", "--port", `${port}`];
  await using cluster = Example.startWith(["--allow-run"], "cluster", ...args);
  const serving = (count: number) => cluster.until(new RegExp(`(?:serving on [^]*){${count}}`));
  await serving(2);
  const processes = new Set<string>();
  for (let count = 0; count < 60; count++) processes.add((await ask(port)).process);
  assertEquals(processes.size, 2);

  const [lost, kept] = processes;
  Deno.kill(Number(lost), "SIGKILL");
  await serving(3);
  for (let count = 0; count < 60; count++) processes.add((await ask(port)).process);
  assertEquals(processes.size, 3);
  assertEquals(
    (await ask(port)).process === lost,
    false,
    `only ${kept} and the new process answer`,
  );

  cluster.signal("SIGTERM");
  assertEquals(await cluster.end(), 0);
  assertEquals([...cluster.output.matchAll(ENDED)].length, 2);
});

Deno.test("V6: one per core: all processes are replaced under load, and no client fails", async () => {
  await needProgram("ip", "-V", "iproute2");
  await needProgram("unshare", "-V", "util-linux");
  const program = new URL("programs/rolling_restart.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await deadline(
    new Deno.Command("unshare", {
      args: ["--net", Deno.execPath(), "run", "-A", program, "1", "2"],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output(),
    60_000,
  );
  assertEquals([code, textOf(stderr)], [0, ""]);
  const { answers, ...outcome } = JSON.parse(textOf(stdout)!.trimEnd().split("\n").at(-1)!);
  assertEquals(outcome, { code: 0, failures: [], processes: 6, aborted: Array(6).fill(0) });
  assert(answers > 1000, `${answers} answers`);
});

Deno.test("P4: many machines: HAProxy spreads the clients, names them, and takes a server out", async () => {
  const start = () => Example.start("production_server", "--port", "0", "--trust", "127.0.0.1");
  await using one = start();
  await using two = start();
  const [, first] = await one.until(SERVING);
  const [, second] = await two.until(SERVING);
  const file = new URL("../../examples/haproxy.cfg", import.meta.url).pathname;
  await using haproxy = await startHAProxy(["front"], ({ ports, folder }) => ({
    file,
    env: {
      BIND: `127.0.0.1:${ports.front}`,
      SERVER_1: first,
      SERVER_2: second,
      STATS: `${folder}/admin.sock`,
    },
  }));
  const { front } = haproxy.ports;
  const processes = new Set<string>();
  for (let count = 1; count <= 20; count++) {
    const { host, process } = await ask(front, `127.0.0.${count}`);
    assertEquals(host, `127.0.0.${count}`);
    processes.add(process);
  }
  assertEquals(processes.size, 2);

  // A client that connects to a server directly is refused.
  const stranger = await BareClient.connect(parseAddress(first), "127.0.0.9");
  stranger.write(bytesOf("hello\n"));
  await stranger.closed();
  assertEquals(stranger.received.length, 0);

  // As the documentation advises: out of rotation first, then SIGTERM.
  const admin = `${haproxy.folder}/admin.sock`;
  assertEquals(await commandHAProxy(admin, "set server lines/one state drain"), "");
  one.signal("SIGTERM");
  assertEquals(await one.end(), 0);
  assertMatch(one.output, /, 0 aborted\n$/);
  for (let count = 0; count < 20; count++) await ask(front);
  two.signal("SIGTERM");
  assertEquals(await two.end(), 0);
  assertEquals([await one.errors(), await two.errors()], ["", ""]);
});
