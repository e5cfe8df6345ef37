import { assertEquals } from "@std/assert";
import { runHere } from "../support/own_runtime.ts";
import { SocketFolder } from "../support/unix_sockets.ts";

const PROGRAM = "tests/system/programs/ends.ts";
/** The configuration without unstable features, which the one of this project turns on. */
const FLAGS = ["--config", "tests/stable/deno.json", "--no-prompt", "--allow-net"];

const EXPECTED: Readonly<Record<string, "held" | "ended">> = {
  "accept() waits": "held",
  "accept() waits, unref() before": "ended",
  "accept() waits, unref() after": "ended",
  "accept() waits, unref() and ref()": "held",
  "closeListener() after unref()": "ended",
  "recv() waits": "held",
  "recv() waits, unref() before": "ended",
  "recv() waits, unref() after": "ended",
  "recvInto() waits, unref()": "ended",
  "recv() waits, unref() and ref()": "held",
  "close() lingers, unref()": "ended",
  "disconnectSignal()": "ended",
  "disconnectSignal(), recv() waits": "held",
  "disconnectSignal(), recv() waited": "ended",
  "disconnectSignal(), recvInto() waits": "held",
  "disconnectSignal(), recv() waits, unref()": "ended",
  "disconnectSignal(), close() lingers": "ended",
  "heartbeat()": "ended",
  "heartbeat() that reads ahead": "ended",
  "heartbeat() that reads ahead, recv() waits": "held",
  "heartbeat(), close() lingers": "ended",
  "recvFrom() waits": "held",
  "recvFrom() waits, unref()": "ended",
  "serve()": "held",
  "serve(), unref()": "ended",
  "serve(), unref() before its client": "ended",
  "serve(), unref() and ref()": "held",
  "keepConnected() is ready": "held",
  "keepConnected() waits": "held",
  "keepConnected(), closed": "ended",
};

Deno.test("E13: a handle of a Unix socket holds a process as one of TCP does", async () => {
  await using folder = await SocketFolder.make();
  const flags = [...FLAGS, `--allow-read=${folder.path}`, `--allow-write=${folder.path}`];
  for (const [what, expected] of Object.entries(EXPECTED)) {
    if (what.startsWith("recvFrom()")) continue;
    const report = await runHere<string>(PROGRAM, [what, folder.next().path], flags);
    assertEquals(report, expected, what);
  }
});

for (const [what, expected] of Object.entries(EXPECTED)) {
  Deno.test(`E13: a process with ${what}: ${expected}`, async () => {
    const report = await runHere<string>(PROGRAM, [what], FLAGS);
    assertEquals(report, expected);
  });
}
