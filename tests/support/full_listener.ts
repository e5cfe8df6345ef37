import {
  abort,
  closeListener,
  connect,
  type Connection,
  listen,
  type Listener,
} from "../../mod.ts";
import { SocketError } from "../../mod.ts";

const MOST_ATTEMPTS = 20;

/** Makes a listener with a full backlog. The kernel drops further SYNs, so a connect neither succeeds nor fails. */
export async function fullListener(): Promise<{ listener: Listener } & AsyncDisposable> {
  const listener = await listen({ host: "127.0.0.1", port: 0 }, { backlog: 1 });
  const waiting: Connection[] = [];
  for (let attempt = 0;; attempt++) {
    if (attempt === MOST_ATTEMPTS) throw new Error(`the backlog is not full after ${attempt}`);
    try {
      waiting.push(await connect(listener.address, { timeout: 300 }));
    } catch (error) {
      if (error instanceof SocketError && error.kind === "TimedOut") break;
      throw error;
    }
  }
  return {
    listener,
    async [Symbol.asyncDispose](): Promise<void> {
      waiting.forEach(abort);
      await closeListener(listener);
    },
  };
}
