/**
 * Calls what opens a socket while the process is out of descriptors, and prints the kinds of the errors. It runs on Deno,
 * Node and Bun.
 */
import { openSync } from "node:fs";
import process from "node:process";
import { accept, bindUdp, connect, listen } from "../../../mod.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

const listener = await listen(LOOPBACK);
// The first use loads modules, which needs descriptors.
await Promise.all([connect(listener.address), accept(listener)]);
await bindUdp(LOOPBACK);
try {
  for (;;) openSync("/dev/null", "r");
} catch {
  // Out of descriptors.
}
const kinds: Record<string, string> = {};
const calls = {
  listen: () => listen(LOOPBACK),
  connect: () => connect(listener.address),
  bindUdp: () => bindUdp(LOOPBACK),
  "listen on a path": () => listen({ path: `\0descriptors-${process.pid}` }),
  "connect to a path": () => connect({ path: `\0descriptors-${process.pid}` }),
};
for (const [name, call] of Object.entries(calls)) {
  kinds[name] = await call().then(() => "no error", (error) => `${error.kind} ${error.code}`);
}
console.log(JSON.stringify(kinds));
process.exit(0);
