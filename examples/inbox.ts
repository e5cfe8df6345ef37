/**
 * Receives the messages of `outbox.ts`: prints each new one, and acknowledges it after that.
 *
 *     deno run --allow-net inbox.ts --port 7010 [--host 127.0.0.1]
 *
 * A message that was printed, but whose acknowledgement was lost, comes again. This program knows it by its number, as
 * long as it runs. In your own program, import from "jsr:@aivi/sockets" instead, and keep the numbers with the messages.
 */
import { type Connection, formatAddress, framed, json, listen, sendFrame, serve } from "../mod.ts";
import { readListenAddress } from "./arguments.ts";
import type { Acknowledgement, Message } from "./outbox.ts";
import { waitInterrupt } from "./signals.ts";

/** The number of the last message of each sender. */
const last = new Map<string, number>();

async function receive(connection: Connection): Promise<void> {
  const stream = framed(connection, json<Acknowledgement, Message>());
  for await (const { sender, number, text } of stream) {
    if (number > (last.get(sender) ?? 0)) {
      // Whatever a message stands for must be done before it is acknowledged.
      console.log(text);
      last.set(sender, number);
    }
    await sendFrame(stream, { upTo: number });
  }
}

const interrupted = waitInterrupt();
const server = serve(await listen(readListenAddress("7010")), receive);
console.log(`messages on ${formatAddress(server.address)}, Ctrl-C ends it`);
await interrupted;
await server.shutdown({ timeout: 5000 });
Deno.exit(0);
