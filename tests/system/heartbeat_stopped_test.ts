/** Heartbeats beside processes that are stopped for longer than their times. */
import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  type Connection,
  heartbeat,
  listen,
  type Listener,
  recvLine,
  send,
} from "../../mod.ts";
import { rejection, soon } from "../support/socket_errors.ts";
import { LOOPBACK } from "../support/tcp_pair.ts";
import { bytesOf } from "../support/text.ts";

/** Time for which a process is stopped, longer than the times of its heartbeat (ms). */
const STOP_MS = 1500;

/** A process that runs `programs/beats.ts`, and the connection that it has made. */
interface Beats extends AsyncDisposable {
  readonly process: Deno.ChildProcess;
  readonly connection: Connection;
}

async function start(listener: Listener, what: "answer" | "beat"): Promise<Beats> {
  const program = new URL("programs/beats.ts", import.meta.url).pathname;
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-net", program, `${listener.address.port}`, what],
    stdout: "piped",
  }).spawn();
  const connection = await soon(accept(listener));
  return {
    process,
    connection,
    async [Symbol.asyncDispose](): Promise<void> {
      abort(connection);
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended by itself.
      }
      await process.status;
      if (!process.stdout.locked) await process.stdout.cancel();
    },
  };
}

Deno.test("X4: a peer whose process is stopped is given up, though its kernel takes the pings", async () => {
  await using listener = await listen(LOOPBACK);
  await using beats = await start(listener, "answer");
  const { process, connection } = beats;
  const ping = () => send(connection, bytesOf("PING\n"));
  using _heart = heartbeat(connection, { interval: 50, timeout: 2000, ping });
  for (let count = 0; count < 3; count++) assertEquals(await soon(recvLine(connection)), "PONG");
  process.kill("SIGSTOP");
  const silent = (async () => {
    while (await recvLine(connection) === "PONG");
  })();
  await rejection(() => silent, "TimedOut", "recvLine");
  process.kill("SIGCONT");
  assertEquals(await new Response(process.stdout).text(), "end of stream\n");
});

Deno.test("X4, E12: a process that was stopped for longer than its heartbeat's times keeps its connection", async () => {
  await using listener = await listen(LOOPBACK);
  await using beats = await start(listener, "beat");
  const { process, connection } = beats;
  const answer = async () => {
    assertEquals(await soon(recvLine(connection)), "PING");
    await send(connection, bytesOf("PONG\n"));
  };
  for (let count = 0; count < 3; count++) await answer();
  // Once it is stopped in its silence, and once while it waits for the answer, which comes meanwhile.
  process.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, STOP_MS));
  process.kill("SIGCONT");
  await answer();
  assertEquals(await soon(recvLine(connection)), "PING");
  process.kill("SIGSTOP");
  await send(connection, bytesOf("PONG\n"));
  await new Promise((resolve) => setTimeout(resolve, STOP_MS));
  process.kill("SIGCONT");
  for (let count = 0; count < 3; count++) await answer();
  await soon(close(connection));
  assertEquals(await new Response(process.stdout).text(), "end of stream\n");
});
