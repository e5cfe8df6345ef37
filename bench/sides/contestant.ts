/**
 * One process that takes part: it reads an order a line and answers with a line. Runs on Deno, Node and
 * Bun. An order is `side work noDelay size connections milliseconds tcpPort udpPort`, its answer `amount
 * milliseconds`, or `error` and what went wrong.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import type { MakeWork, Side, WorkName } from "./work.ts";

/** Before it is timed, work is done for this part of its time: code gets hot, windows open. */
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

async function obey(sides: Readonly<Record<string, Side>>, order: string): Promise<string> {
  const [side, name, ...numbers] = order.split(" ");
  const make: MakeWork | undefined = sides[side]?.[name as WorkName];
  if (make === undefined) return `error ${side} does not do ${name}`;
  const [noDelay, size, connections, milliseconds, tcp, udp] = numbers.map(Number);
  const work = await make({ tcp, udp }, { noDelay: noDelay === 1, size, connections });
  try {
    await doFor(milliseconds * WARM_UP, work.batch);
    const { amount, elapsed } = await doFor(milliseconds, work.batch);
    return `${amount} ${elapsed}`;
  } finally {
    await work.end();
  }
}

/** Takes orders until its standard input ends. */
export async function takePart(sides: Readonly<Record<string, Side>>): Promise<never> {
  for await (const order of createInterface({ input: process.stdin })) {
    const answer = await obey(sides, order).catch((error) => `error ${error}`.split("\n", 1)[0]);
    process.stdout.write(`${answer}\n`);
  }
  process.exit(0);
}
