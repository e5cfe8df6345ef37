import { assertEquals } from "@std/assert";
import { ADDRESSES, type Network } from "./network.ts";
import { Process } from "./process.ts";
import { STABLE } from "./run.ts";

const PROGRAM = new URL("../programs/name_server.ts", import.meta.url).pathname;

/** Makes side a ask a name server, whose answer the resolver awaits for `timeout` seconds. */
export async function resolvesBy(network: Network, server: string, timeout = 1): Promise<void> {
  const folder = `/etc/netns/${network.space("a")}`;
  await Deno.mkdir(folder, { recursive: true });
  const options = `options timeout:${timeout} attempts:1`;
  await Deno.writeTextFile(`${folder}/resolv.conf`, `nameserver ${server}\n${options}\n`);
}

/** Starts the name server on side b. */
export async function nameServer(network: Network): Promise<Process> {
  const deno = [Deno.execPath(), "run", "-A", ...STABLE, "--no-check", PROGRAM];
  const server = new Process("ip", ["netns", "exec", network.space("b"), ...deno, ADDRESSES.b[4]]);
  assertEquals((await server.lines.next()).value, "ready", server.errors);
  return server;
}
