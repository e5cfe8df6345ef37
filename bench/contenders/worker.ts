/**
 * A worker is one process that runs contenders, on Deno, Node or Bun. It reads one order per line and answers each with
 * one line. An order is `contender work noDelay size connections milliseconds tcpPort udpPort unix`. The answer is `amount
 * milliseconds`, or `error` and a message.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { Contender, MakeWork, WorkName } from "./work.ts";

/** The untimed part before each measurement, relative to its time: code gets optimised, TCP windows open. */
const WARM_UP = 0.25;

async function doFor(milliseconds: number, batch: () => Promise<number>) {
  const started = performance.now();
  let amount = 0;
  let elapsed = 0;
  while (elapsed < milliseconds) {
    amount += await batch();
    elapsed = performance.now() - started;
  }
  return { amount, elapsed };
}

async function doOrder(
  contenders: Readonly<Record<string, Contender>>,
  order: string,
): Promise<string> {
  const [contender, name, ...numbers] = order.split(" ");
  const make: MakeWork | undefined = contenders[contender]?.[name as WorkName];
  if (make === undefined) return `error ${contender} does not do ${name}`;
  const [noDelay, size, connections, milliseconds, tcp, udp, unix] = numbers.map(Number);
  const work = await make({ tcp, udp }, {
    noDelay: noDelay === 1,
    unix: unix === 1,
    size,
    connections,
  });
  try {
    await doFor(milliseconds * WARM_UP, work.batch);
    const { amount, elapsed } = await doFor(milliseconds, work.batch);
    return `${amount} ${elapsed}`;
  } finally {
    await work.end();
  }
}

/** Answers orders until the standard input ends. */
export async function runWorker(contenders: Readonly<Record<string, Contender>>): Promise<never> {
  for await (const order of createInterface({ input: process.stdin })) {
    const answer = await doOrder(contenders, order).catch((error) =>
      `error ${error}`.split("\n", 1)[0]
    );
    process.stdout.write(`${answer}\n`);
  }
  process.exit(0);
}
