/**
 * Measures the time of an echo beside idle connections. `ours|raw tcpPort few many` prints two medians in µs: with few
 * connections open, and with many.
 */
import { connect, recv, send } from "../../../mod.ts";
import { ECHO, HOST, SINK } from "../../contenders/work.ts";

const ECHOES = 3000;
const [name, ...numbers] = Deno.args;
const [port, few, many] = numbers.map(Number);
const message = new Uint8Array(64);

async function open(job: number): Promise<() => Promise<unknown>> {
  if (name === "ours") {
    const connection = await connect({ host: HOST, port });
    await send(connection, Uint8Array.of(job));
    if (job === SINK) recv(connection).catch(() => {});
    return async () => {
      await send(connection, message);
      await recv(connection);
    };
  }
  const conn = await Deno.connect({ hostname: HOST, port });
  conn.setNoDelay(true);
  await conn.write(Uint8Array.of(job));
  const buffer = new Uint8Array(4096);
  if (job === SINK) conn.read(buffer).catch(() => {});
  return async () => {
    await conn.write(message);
    await conn.read(buffer);
  };
}

async function medianEcho(echo: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < ECHOES; count++) {
    const started = performance.now();
    await echo();
    times.push(performance.now() - started);
  }
  return times.toSorted((one, other) => one - other)[ECHOES >> 1] * 1000;
}

const echo = await open(ECHO);
let opened = 0;
for (; opened < few; opened++) await open(SINK);
await medianEcho(echo);
const withFew = await medianEcho(echo);
for (; opened < many; opened++) await open(SINK);
console.log(withFew, await medianEcho(echo));
Deno.exit();
