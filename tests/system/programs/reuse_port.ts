/** Opens two listeners on one port, if the runtime can, and prints how the kernel spreads the clients. */
import { abort, accept, connect, listen, type Listener, SocketError } from "../../../mod.ts";

const CLIENTS = 40;

async function shared(): Promise<unknown> {
  const first = await listen({ host: "127.0.0.1", port: 0 }, { reusePort: true });
  const second = await listen(first.address, { reusePort: true });
  const counts = [0, 0];
  const count = async (listener: Listener, index: number) => {
    for await (const connection of listener) {
      counts[index]++;
      abort(connection);
      if (counts[0] + counts[1] === CLIENTS) break;
    }
  };
  const both = Promise.race([count(first, 0), count(second, 1)]);
  for (let client = 0; client < CLIENTS; client++) abort(await connect(first.address));
  await both;
  await Promise.all([first, second].map((listener) => listener[Symbol.asyncDispose]()));
  return { counts };
}

async function plain(): Promise<string> {
  await using listener = await listen({ host: "127.0.0.1", port: 0 }, { reusePort: false });
  const [client, connection] = await Promise.all([connect(listener.address), accept(listener)]);
  abort(client);
  abort(connection);
  return "accepted";
}

const outcome = await shared().catch((error) => {
  if (!(error instanceof SocketError)) throw error;
  const { kind, operation, message, retryable } = error;
  return { kind, operation, message, retryable };
});
console.log(JSON.stringify({ outcome, plain: await plain() }));
