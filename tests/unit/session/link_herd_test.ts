import { assert, assertEquals } from "@std/assert";
import { abort, type Connection, connectionOver, keepConnected, recv } from "../../../mod.ts";
import { ENDPOINT, refused, ScriptedPeer } from "../../support/scripted_link.ts";
import { virtualTime } from "../../support/virtual_time.ts";

/** Deno 2.7 has this function, but not its type. */
declare function setImmediate(callback: (value: void) => void): unknown;

const LINKS = 1000;
const LONGEST_MS = 10_000;
const OUTAGE_MS = 40_000;
const STEP_MS = 20;

Deno.test("X1: 1,000 links to one server that restarts do not come in waves, and are all back within longest", async () => {
  using time = virtualTime(() => new Promise((resolve) => setImmediate(resolve)));
  const open = new Set<Connection>();
  let isUp = true;
  let attempts = 0;
  const links = Array.from(
    { length: LINKS },
    () =>
      keepConnected(ENDPOINT, async (connection, { ready, signal }) => {
        ready();
        await recv(connection, { signal });
      }, {
        backoff: { longest: LONGEST_MS },
        connect(endpoint) {
          attempts++;
          if (!isUp) throw refused(endpoint);
          const connection = connectionOver(new ScriptedPeer(endpoint));
          open.add(connection);
          return connection;
        },
      }),
  );
  const ready = () => links.filter(({ state }) => state === "ready").length;
  /** Lets time pass, and returns the number of attempts in each second. */
  const pass = async (ms: number): Promise<number[]> => {
    const perSecond: number[] = [];
    for (let passed = 0; passed < ms; passed += 1000) {
      attempts = 0;
      for (let step = 0; step < 1000; step += STEP_MS) await time.pass(STEP_MS);
      perSecond.push(attempts);
    }
    return perSecond;
  };

  await pass(6000);
  assertEquals(ready(), LINKS);
  isUp = false;
  open.forEach(abort);
  const during = await pass(OUTAGE_MS);
  assertEquals(ready(), 0);
  // A link makes some four attempts in the first second. Later the mean of its pauses is 5 s, so that 200 of them
  // try in a second; 500 would be a wave.
  assert(during[0] < 6 * LINKS, `${during[0]} in the first second`);
  const later = during.slice(20);
  assert(later.every((count) => count > 20 && count < 500), `${later}`);

  isUp = true;
  const after = await pass(LONGEST_MS + 1000);
  assertEquals(ready(), LINKS);
  // Each link comes once, and they share the time.
  assertEquals(after.reduce((sum, count) => sum + count), LINKS);
  assert(after.every((count) => count < 500), `${after}`);

  const closing = Promise.all(links.map((link) => link.close({ linger: 0 })));
  await time.pass(0);
  await closing;
  assertEquals(time.running, 0);
});
