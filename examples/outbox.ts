/**
 * Delivers each line of its input at least once, over a connection that may break at any time. `inbox.ts` receives.
 *
 *     deno run --allow-net outbox.ts 127.0.0.1:7010 <lines.txt
 *
 * A send that has resolved says only that the system has the bytes. So each message has a number, and stays here until
 * the receiver has acknowledged it. A new session begins with all that is not acknowledged. The receiver may get a
 * message twice, and knows it by its number. To survive the end of this program as well, keep the messages on disk. In
 * your own program, import from "jsr:@aivi/sockets" instead.
 */
import {
  type Connection,
  connectionOver,
  framed,
  type FramedConnection,
  json,
  keepConnected,
  lines,
  type LinkContext,
  recvFrame,
  sendFrame,
} from "../mod.ts";
import { exitWithError, readAddress } from "./arguments.ts";

/** A message on its way. Numbers belong to their sender, and begin with 1. */
export type Message = { sender: string; number: number; text: string };
/** Acknowledges all messages of the sender up to a number. */
export type Acknowledgement = { upTo: number };
type Stream = FramedConnection<Message, Acknowledgement>;

/** Keeps messages until they are acknowledged. */
export class Outbox {
  readonly #sender = crypto.randomUUID();
  /** Messages that are not acknowledged, in the order of their numbers. */
  readonly #kept = new Map<number, { readonly text: string; readonly acknowledge: () => void }>();
  #lastNumber = 0;
  #changed = Promise.withResolvers<void>();

  /** Takes a message. Resolves when the receiver has acknowledged it. */
  add(text: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#kept.set(++this.#lastNumber, { text, acknowledge: resolve });
    this.#wake();
    return promise;
  }

  /** The session of a link: sends what is not acknowledged, and then what is added. */
  readonly session = async (connection: Connection, { ready, signal }: LinkContext) => {
    const stream: Stream = framed(connection, json<Message, Acknowledgement>());
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    ready();
    await Promise.race([this.#sendAll(stream, signal), this.#recvAll(stream, signal)]);
  };

  async #sendAll(stream: Stream, signal: AbortSignal): Promise<void> {
    const [first = this.#lastNumber + 1] = this.#kept.keys();
    for (let number = first; !signal.aborted;) {
      const { promise } = this.#changed;
      for (; number <= this.#lastNumber; number++) {
        const { text } = this.#kept.get(number) ?? {};
        // Awaiting each send keeps memory bounded if the receiver is slow.
        if (text !== undefined) {
          await sendFrame(stream, { sender: this.#sender, number, text }, { signal });
        }
      }
      await promise;
    }
  }

  async #recvAll(stream: Stream, signal: AbortSignal): Promise<void> {
    for (;;) {
      const answer = await recvFrame(stream, { signal });
      if (answer === null) return;
      for (const [number, { acknowledge }] of this.#kept) {
        if (number > answer.upTo) break;
        this.#kept.delete(number);
        acknowledge();
      }
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

if (import.meta.main) {
  const outbox = new Outbox();
  const link = keepConnected(readAddress(Deno.args[0] ?? "127.0.0.1:7010"), outbox.session, {
    onChange: (state) => console.error(state),
  });
  // Otherwise a missing permission, say, would leave the program waiting.
  link.finished.catch(exitWithError);
  const input = connectionOver({
    read: (buffer) => Deno.stdin.read(buffer),
    write: (bytes) => Promise.resolve(bytes.length),
    close: () => {},
  });
  const delivered: Promise<void>[] = [];
  for await (const line of framed(input, lines())) {
    delivered.push(outbox.add(line).then(() => console.log(`acknowledged: ${line}`)));
  }
  await Promise.all(delivered);
  await link.close();
  Deno.exit(0);
}
