/** Calls every exported function at HOST, and prints the names of all exported and all called functions. */
import * as exported from "../../../mod.ts";
import * as testing from "../../../testing.ts";
import { type Aims, FUNCTIONS, makeThings } from "../support/functions.ts";

const [host] = Deno.args;
for (const call of Object.values(FUNCTIONS)) {
  const things = await makeThings(host);
  const { address } = things.listener;
  const anywhere = { host, port: 0 };
  const aims: Aims = {
    listen: anywhere,
    bindUdp: anywhere,
    connect: address,
    sendTo: things.udp.address,
  };
  await call(things, aims);
}
const names = Object.entries({ ...exported, ...testing })
  .filter(([, value]) => typeof value === "function")
  .map(([name]) => name).sort();
console.log(JSON.stringify({ names, called: Object.keys(FUNCTIONS).sort() }));
Deno.exit(0);
