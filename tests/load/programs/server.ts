/**
 * Runs the server under load: `server.ts KIND OPTIONS`, with the options of `serve` as JSON. It prints its address, and
 * one line of figures for each line that it reads.
 */
import {
  type Connection,
  formatAddress,
  framed,
  lengthPrefixed,
  listen,
  recvLine,
  send,
  serve,
} from "../../../mod.ts";

/** Collects garbage, so that it is not counted. It needs `--v8-flags=--expose-gc`. */
declare const gc: () => void;

const HANDLERS: Record<string, (connection: Connection) => Promise<void>> = {
  async echo(connection) {
    for await (const bytes of connection) await send(connection, bytes);
  },
  async lines(connection) {
    for (let line; (line = await recvLine(connection)) !== null;) {
      await send(connection, new TextEncoder().encode(`${line}\n`));
    }
  },
  /** Answers lines that are not empty. */
  async "silent lines"(connection) {
    for (let line; (line = await recvLine(connection)) !== null;) {
      if (line !== "") await send(connection, new TextEncoder().encode(`${line}\n`));
    }
  },
  async frames(connection) {
    for await (const frame of framed(connection, lengthPrefixed())) {
      await send(connection, new TextEncoder().encode(`${frame.length}\n`));
    }
  },
};

const [kind, options] = Deno.args;
const ended: Record<string, number> = {};
const listener = await listen({ host: "127.0.0.1", port: 0 }, { backlog: 4096 });
const server = serve(listener, HANDLERS[kind], {
  ...JSON.parse(options),
  onError(error): void {
    const { kind } = error as { kind: string };
    ended[kind] = (ended[kind] ?? 0) + 1;
  },
});
console.log(formatAddress(server.address));

for await (const _ of Deno.stdin.readable) {
  gc();
  const { active, accepted, refused } = server;
  const descriptors = [...Deno.readDirSync("/proc/self/fd")].length;
  const { rss } = Deno.memoryUsage();
  console.log(JSON.stringify({ active, accepted, refused, ended, descriptors, rss }));
}
await server.shutdown({ timeout: 0 });
Deno.exit(0);
