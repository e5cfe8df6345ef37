/**
 * HAProxy before two of our servers, each in its own process: health checks all the time, and one after
 * the other is stopped under load and started again.
 */
import { assert, assertEquals } from "@std/assert";
import { type Account, AccountingServer, Load, tellHAProxy } from "./support/accounting.ts";
import { type HAProxy, startHAProxy } from "./support/haproxy.ts";

const CLIENTS = 16;
const ENOUGH = 100;

interface Farm {
  /** How HAProxy tells the servers of their clients. */
  readonly how: string;
}

/** The ports of the servers are free ones too, which nobody takes meanwhile. */
function startFarm({ how }: Farm): Promise<HAProxy> {
  return startHAProxy(["front", "one", "two"], ({ ports, folder }) => `
global
  stats socket ${folder}/admin.sock mode 600 level admin

listen farm
  mode tcp
  timeout connect 2s
  timeout client 20s
  timeout server 20s
  retries 3
  option redispatch
  bind 127.0.0.1:${ports.front}
  balance roundrobin
  unique-id-format from-%ci-%cp
  # A check resets its connection as soon as it is there.
  default-server check inter 20ms fastinter 20ms downinter 20ms fall 2 rise 1 ${how}
  server one 127.0.0.1:${ports.one}
  server two 127.0.0.1:${ports.two}
`);
}

/** Every request that a server accepted was answered, whole; nothing but health checks went wrong. */
function assertNothingLost(accounts: readonly Account[], load: Load): void {
  for (const { accepted, errors, aborted } of accounts) {
    const lost = accepted.filter((name) => !load.answers.has(name));
    assertEquals(lost.map((name) => [name, load.failures.get(name)]), []);
    assertEquals(aborted, 0);
    const others = Object.keys(errors).filter((what) => !what.startsWith("ConnectionReset"));
    assertEquals(others, []);
  }
  const accepted = accounts.reduce((sum, account) => sum + account.accepted.length, 0);
  assertEquals(accepted, load.answers.size);
}

for (
  const { how, version } of [
    { how: "send-proxy", version: 1 },
    { how: "send-proxy-v2 proxy-v2-options crc32c,unique-id", version: 2 },
  ]
) {
  Deno.test(`${how}: no accepted request is lost when servers behind HAProxy are stopped and started under load`, async () => {
    await using haproxy = await startFarm({ how });
    const { front, one, two } = haproxy.ports;
    await using first = await AccountingServer.start(one);
    await using second = await AccountingServer.start(two);
    const load = new Load(front, CLIENTS);
    await load.answered(first.pid, ENOUGH);
    await load.answered(second.pid, ENOUGH);

    const accounts = [await first.end()];
    await load.answered(second.pid, ENOUGH);
    await using firstAgain = await AccountingServer.start(one);
    await load.answered(firstAgain.pid, ENOUGH);
    accounts.push(await second.end());
    await load.answered(firstAgain.pid, ENOUGH);
    await using secondAgain = await AccountingServer.start(two);
    await load.answered(secondAgain.pid, ENOUGH);
    await load.stop();
    accounts.push(await firstAgain.end(), await secondAgain.end());

    assertNothingLost(accounts, load);
    for (const answer of load.answers.values()) {
      const uniqueId = `from-${answer.from.replace(":", "-")}`;
      assertEquals(answer, {
        ...answer,
        to: answer.from,
        version,
        crc32c: version === 2,
        uniqueId: version === 2 ? uniqueId : undefined,
      });
    }
    // More than requests had come: health checks were there throughout.
    for (const { clients, accepted, refused } of accounts) {
      assert(clients + refused >= accepted.length, `${clients} clients`);
    }
  });
}

Deno.test("no request at all is lost when HAProxy is told before a server is stopped", async () => {
  const how = "send-proxy-v2 proxy-v2-options crc32c,unique-id";
  await using haproxy = await startFarm({ how });
  const { front, one, two } = haproxy.ports;
  const admin = `${haproxy.folder}/admin.sock`;
  await using first = await AccountingServer.start(one);
  await using second = await AccountingServer.start(two);
  const load = new Load(front, CLIENTS);
  await load.answered(first.pid, ENOUGH);
  await load.answered(second.pid, ENOUGH);

  assertEquals(await tellHAProxy(admin, "set server farm/one state drain"), "");
  const accounts = [await first.end()];
  await using firstAgain = await AccountingServer.start(one);
  assertEquals(await tellHAProxy(admin, "set server farm/one state ready"), "");
  await load.answered(firstAgain.pid, ENOUGH);
  await load.stop();
  accounts.push(await firstAgain.end(), await second.end());

  assertNothingLost(accounts, load);
  assertEquals([...load.failures], []);
});
