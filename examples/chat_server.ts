/**
 * A line chat: what one client writes, all others read. Talk to it with chat_client.ts or `nc`:
 *
 *     deno run --allow-net chat_server.ts 127.0.0.1:7000
 *
 * SIGTERM or Ctrl-C ends it, when members have all that was said before. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import {
  abort,
  close,
  closeListener,
  type Connection,
  formatAddress,
  listen,
  send,
  SocketError,
} from "../mod.ts";
import { addressOf } from "./arguments.ts";
import { onInterrupt } from "./signals.ts";

const LONGEST_LINE = 4096;
const members = new Map<Connection, string>();
const encoder = new TextEncoder();

/** Lines out of chunks: a chunk ends anywhere, in the middle of a line or of a character. */
async function* linesOf(connection: Connection): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of connection) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop()!;
    if (rest.length > LONGEST_LINE) throw new Error("line too long");
    for (const line of lines) yield line.trimEnd();
  }
}

/** Nobody waits for a slow reader: its lines queue up, and past its limit it has to leave. */
function tellOthers(author: Connection | undefined, text: string): void {
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
  tellOthers(connection, `* ${name} joined`);
  try {
    for await (const line of linesOf(connection)) tellOthers(connection, `${name}: ${line}`);
  } catch {
    // Reset, or a line without end: either way this member is gone.
  } finally {
    members.delete(connection);
    tellOthers(connection, `* ${name} left`);
    await close(connection).catch(() => {});
  }
}

const listener = await listen(addressOf(Deno.args[0] ?? "127.0.0.1:7000"), {
  sendQueueLimit: 256 * 1024,
});
onInterrupt(() => void closeListener(listener));
console.log(`chat on ${formatAddress(listener.address)}`);
for await (const connection of listener) void serve(connection);

// What they were told is still delivered, to those who read.
const leaving = [...members.keys()];
await Promise.all(leaving.map((member) => close(member).catch(() => {})));
Deno.exit(0);
