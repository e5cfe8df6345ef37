import { assert, assertEquals } from "@std/assert";
import { Example } from "./support/example.ts";

const MESSAGES = 200;
const KILLS = 4;

Deno.test("what the outbox calls acknowledged has arrived, although its receiver is killed again and again", async () => {
  let inbox = Example.start("inbox", "--port", "0");
  const received: string[] = [];
  try {
    const { port } = await addressOf(inbox);
    await using outbox = Example.start("outbox", `127.0.0.1:${port}`);
    for (let number = 0; number < MESSAGES; number++) {
      await outbox.type(`message ${number}`);
      if (number % (MESSAGES / KILLS) !== MESSAGES / KILLS - 1) continue;
      // Some of them are under way when it dies.
      await inbox.until(/message \d+/);
      received.push(...await killed(inbox));
      for (const message of acknowledgedBy(outbox)) assert(received.includes(message), message);
      inbox = Example.start("inbox", "--port", port);
      await addressOf(inbox);
    }
    await outbox.endInput();
    assertEquals(await outbox.end(), 0, await outbox.errors());
    received.push(...await killed(inbox));

    const all = Array.from({ length: MESSAGES }, (_, number) => `message ${number}`);
    assertEquals(acknowledgedBy(outbox), all);
    // A message may come twice, but the first ones of each are complete and in order.
    assertEquals([...new Set(received)], all);
    assert(received.length >= MESSAGES);
    const connected = (await outbox.errors()).match(/^ready$/gm)!.length;
    assert(connected > KILLS, `${connected} connections`);
  } finally {
    await inbox[Symbol.asyncDispose]();
  }
});

Deno.test("the outbox ends with one line if it may not connect", async () => {
  await using outbox = Example.startWith([], "outbox", "127.0.0.1:9");
  assertEquals(await outbox.end(), 2);
  const errors = linesOf(await outbox.errors());
  assertEquals(
    errors.at(-1),
    "connect 127.0.0.1:9: net access is missing, run again with --allow-net=127.0.0.1:9",
  );
});

/** Kills a receiver, and returns the messages that it has printed. */
async function killed(inbox: Example): Promise<string[]> {
  inbox.signal("SIGKILL");
  await inbox.end();
  await inbox[Symbol.asyncDispose]();
  return linesOf(inbox.output).slice(1);
}

/** Returns the messages that an outbox has called acknowledged until now. */
function acknowledgedBy(outbox: Example): string[] {
  return [...outbox.output.matchAll(/^acknowledged: (.*)\n/gm)].map(([, message]) => message);
}

async function addressOf(inbox: Example): Promise<{ port: string }> {
  const [, port] = await inbox.until(/127\.0\.0\.1:(\d+)/);
  return { port };
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}
