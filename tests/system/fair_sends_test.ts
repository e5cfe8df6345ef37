/** A program that sends in a loop, to another process that takes everything at once. */
import { once } from "node:events";
import {
  abort,
  connect,
  type Connection,
  framed,
  lengthPrefixed,
  type OperationOptions,
  send,
  sendFrame,
  sendFrames,
} from "../../mod.ts";
import { startHere } from "../support/own_runtime.ts";
import { rejection } from "../support/socket_errors.ts";

/** A loop that goes on for so long has kept the event loop. */
const LONGEST_LOOP_MS = 30_000;
const BYTES = new Uint8Array(100);

type Send = (connection: Connection, options: OperationOptions) => Promise<void>;

const codec = lengthPrefixed();
const SENDS: Readonly<Record<string, Send>> = {
  send: (connection, options) => send(connection, BYTES, options),
  sendFrame: (connection, options) => sendFrame(framed(connection, codec), BYTES, options),
  sendFrames: (connection, options) => sendFrames(framed(connection, codec), [BYTES], options),
};

/** Sends until a call rejects, or for very long. */
async function sendInLoop(connection: Connection, sendOnce: Send, signal: AbortSignal) {
  for (const started = Date.now(); Date.now() - started < LONGEST_LOOP_MS;) {
    await sendOnce(connection, { signal });
  }
}

Deno.test("E4, E11: a loop of awaited sends lets its signal and timers in", async () => {
  const drain = startHere("tests/system/programs/drain.ts", [], ["-A"]);
  const ended = once(drain, "exit");
  drain.stderr!.resume();
  try {
    const [port] = await once(drain.stdout!, "data");
    for (const [name, sendOnce] of Object.entries(SENDS)) {
      const connection = await connect({ host: "127.0.0.1", port: Number(port) });
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 10);
      await rejection(() => sendInLoop(connection, sendOnce, stop.signal), "Aborted", name);
      abort(connection);
    }
  } finally {
    drain.kill("SIGKILL");
    await ended;
  }
});
