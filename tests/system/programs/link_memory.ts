/**
 * Prints the number of bytes that each failed attempt of a link has left, after garbage collection, by the place of the
 * failure. It is run with `--v8-flags=--expose-gc`.
 */
import { connectionOver, keepConnected, type LinkSession } from "../../../mod.ts";

declare function gc(): void;

const ATTEMPTS = 2000;
/** A list is tried without a pause, so that a round of attempts takes no time. */
const SERVERS = Array.from({ length: 500 }, (_, index) => ({ host: "192.0.2.1", port: index + 1 }));

const transport = () => ({
  read: () => Promise.resolve(null),
  write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
  close: () => {},
});

async function perAttempt(session: LinkSession, connects: boolean): Promise<number> {
  let made = 0;
  const link = keepConnected(SERVERS, session, {
    connect() {
      made++;
      if (connects) return connectionOver(transport());
      throw new Error("refused");
    },
    backoff: { first: 0 },
    signal: new AbortController().signal,
  });
  const heapAfter = async (attempts: number): Promise<number> => {
    while (made < attempts) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await link.up({ timeout: 0 }).catch(() => {});
    }
    gc();
    return Deno.memoryUsage().heapUsed;
  };
  const before = await heapAfter(ATTEMPTS);
  const after = await heapAfter(3 * ATTEMPTS);
  await link.close();
  return (after - before) / (2 * ATTEMPTS);
}

const connect = await perAttempt(() => {}, false);
const session = await perAttempt((_, context) => {
  const fail = () => {
    throw new Error(`attempt ${context.attempt} failed`);
  };
  fail();
}, true);
const returned = await perAttempt((_, { ready }) => ready(), true);
console.log(JSON.stringify({ connect, session, returned }));
Deno.exit(0);
