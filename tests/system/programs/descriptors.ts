/** Runs out of descriptors in its accept loop, and recovers. */
import { abort, accept, connect, type Connection, listen, SocketError } from "../../../mod.ts";

// The runtime opens its signal pipe now. Later, without a free descriptor, it would exit.
Deno.addSignalListener("SIGUSR1", () => {});

let accepts = 0;
const realListen = Deno.listen;
Object.assign(Deno, {
  listen(options: Deno.TcpListenOptions): Deno.TcpListener {
    const listener = realListen(options);
    const realAccept = listener.accept;
    listener.accept = () => {
      accepts++;
      return realAccept.call(listener);
    };
    return listener;
  },
});

function failure(error: unknown) {
  if (!(error instanceof SocketError)) throw error;
  const { kind, operation, code, retryable } = error;
  return { kind, operation, code, retryable };
}

const listener = await listen({ host: "127.0.0.1", port: 0 });
const clients: Connection[] = [];
let connecting: unknown;
// The limit is 64, so more attempts mean that it is not in force.
for (let attempt = 0; attempt < 100 && connecting === undefined; attempt++) {
  try {
    clients.push(await connect(listener.address));
  } catch (error) {
    connecting = failure(error);
  }
}
const bare = await accept(listener).then(() => undefined, failure);

let accepted = 0;
const iteration = (async () => {
  for await (const connection of listener) {
    abort(connection);
    if (++accepted === clients.length) return;
  }
})();
const before = accepts;
await new Promise((resolve) => setTimeout(resolve, 1000));
const acceptsInASecond = accepts - before;
const acceptedMeanwhile = accepted;
abort(clients[0]);
await iteration;
clients.forEach(abort);
await listener[Symbol.asyncDispose]();
console.log(JSON.stringify({
  clients: clients.length,
  connecting,
  bare,
  acceptsInASecond,
  acceptedMeanwhile,
  accepted,
}));
Deno.exit(0);
