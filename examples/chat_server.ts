/**
 * A line chat: all other clients get each line that one client sends. Talk to it with chat_client.ts or `nc`:
 *
 *     deno run --allow-net chat_server.ts 127.0.0.1:7000
 *
 * SIGTERM or Ctrl-C ends it after all members have received what was sent before. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import process from "node:process";
import {
  abort,
  close,
  closeListener,
  type Connection,
  formatAddress,
  framed,
  lines,
  listen,
  send,
  SocketError,
} from "../mod.ts";
import { commandArguments, readAddress } from "./arguments.ts";
import { onInterrupt } from "./signals.ts";

const LONGEST_LINE_BYTES = 4096;
const members = new Map<Connection, string>();
const encoder = new TextEncoder();

/** Sends to all members but the author. A slow one keeps nobody waiting: if its queue is full, it has to leave. */
function broadcast(author: Connection | undefined, text: string): void {
  const bytes = encoder.encode(`${text}\n`);
  for (const member of members.keys()) {
    if (member === author) continue;
    send(member, bytes).catch((error) => {
      if (error instanceof SocketError && error.kind === "QueueFull") abort(member);
    });
  }
}

async function serve(connection: Connection): Promise<void> {
  const name = `guest-${connection.remoteAddress.port}`;
  members.set(connection, name);
  broadcast(connection, `* ${name} joined`);
  try {
    for await (const line of framed(connection, lines({ maxLength: LONGEST_LINE_BYTES }))) {
      broadcast(connection, `${name}: ${line.trimEnd()}`);
    }
  } catch {
    // A reset, or a line that is too long or not UTF-8: this member is gone in any case.
  } finally {
    members.delete(connection);
    broadcast(connection, `* ${name} left`);
    await close(connection).catch(() => {});
  }
}

const listener = await listen(readAddress(commandArguments()[0] ?? "127.0.0.1:7000"), {
  sendQueueLimit: 256 * 1024,
});
onInterrupt(() => void closeListener(listener));
console.log(`chat on ${formatAddress(listener.address)}`);
for await (const connection of listener) void serve(connection);

// `close` delivers what was sent, to those who read.
const leaving = [...members.keys()];
await Promise.all(leaving.map((member) => close(member).catch(() => {})));
process.exit(0);
