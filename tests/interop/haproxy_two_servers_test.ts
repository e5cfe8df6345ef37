/**
 * HAProxy in front of two of our servers, each in its own process: health checks go on all the time, and each server
 * is stopped under load and started again.
 */
import { assert, assertEquals } from "@std/assert";
import { type Account, AccountingServer, commandHAProxy, Load } from "./support/accounting.ts";
import { type HAProxy, startHAProxy } from "./support/haproxy.ts";

const CLIENTS = 16;
const ENOUGH_ANSWERS = 100;

interface Farm {
  /** Options of HAProxy's `server`, such as `send-proxy`. */
  readonly how: string;
}

/** Starts HAProxy in front of two servers; their ports are free ones too. */
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

/** Checks that every accepted request was answered as a whole, and that only health checks failed. */
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
  Deno.test(`V6: ${how}: no accepted request is lost when servers behind HAProxy are stopped and started under load`, async () => {
    await using haproxy = await startFarm({ how });
    const { front, one, two } = haproxy.ports;
    await using first = await AccountingServer.start(one);
    await using second = await AccountingServer.start(two);
    const load = new Load(front, CLIENTS);
    await load.answered(first.pid, ENOUGH_ANSWERS);
    await load.answered(second.pid, ENOUGH_ANSWERS);

    const accounts = [await first.end()];
    await load.answered(second.pid, ENOUGH_ANSWERS);
    await using firstAgain = await AccountingServer.start(one);
    await load.answered(firstAgain.pid, ENOUGH_ANSWERS);
    accounts.push(await second.end());
    await load.answered(firstAgain.pid, ENOUGH_ANSWERS);
    await using secondAgain = await AccountingServer.start(two);
    await load.answered(secondAgain.pid, ENOUGH_ANSWERS);
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
    // Health checks came too, beside the requests.
    for (const { clients, accepted, refused } of accounts) {
      assert(clients + refused >= accepted.length, `${clients} clients`);
    }
  });
}

Deno.test("V6: no request is lost if HAProxy takes a server out before it is stopped", async () => {
  const how = "send-proxy-v2 proxy-v2-options crc32c,unique-id";
  await using haproxy = await startFarm({ how });
  const { front, one, two } = haproxy.ports;
  const admin = `${haproxy.folder}/admin.sock`;
  await using first = await AccountingServer.start(one);
  await using second = await AccountingServer.start(two);
  const load = new Load(front, CLIENTS);
  await load.answered(first.pid, ENOUGH_ANSWERS);
  await load.answered(second.pid, ENOUGH_ANSWERS);

  assertEquals(await commandHAProxy(admin, "set server farm/one state drain"), "");
  const accounts = [await first.end()];
  await using firstAgain = await AccountingServer.start(one);
  assertEquals(await commandHAProxy(admin, "set server farm/one state ready"), "");
  await load.answered(firstAgain.pid, ENOUGH_ANSWERS);
  await load.stop();
  accounts.push(await firstAgain.end(), await second.end());

  assertNothingLost(accounts, load);
  assertEquals([...load.failures], []);
});
