/** Opens connections that wait for bytes, and prints the bytes of memory that each takes: `ours|raw tcpPort count`. */
import { connect, recv, send } from "../../../mod.ts";
import { HOST, SINK } from "../../contenders/work.ts";

const [name, port, count] = [Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2])];

async function openOurs(): Promise<void> {
  const connection = await connect({ host: HOST, port });
  await send(connection, Uint8Array.of(SINK));
  recv(connection).catch(() => {});
}

async function openRaw(): Promise<void> {
  const conn = await Deno.connect({ hostname: HOST, port });
  conn.setNoDelay(true);
  await conn.write(Uint8Array.of(SINK));
  conn.read(new Uint8Array(4096)).catch(() => {});
}

async function memory(): Promise<number> {
  for (let count = 0; count < 3; count++) {
    (globalThis as unknown as { gc(): void }).gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return Deno.memoryUsage().rss;
}

const open = name === "ours" ? openOurs : openRaw;
for (let opened = 0; opened < 100; opened++) await open();
const before = await memory();
for (let opened = 0; opened < count; opened++) await open();
console.log((await memory() - before) / count);
Deno.exit();
