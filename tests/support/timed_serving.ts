import {
  abort,
  connect,
  type Connection,
  listen,
  serve,
  type ServeOptions,
  type Server,
} from "../../mod.ts";
import { type Handler, until } from "./serving.ts";
import { LOOPBACK } from "./tcp_pair.ts";
import { turns } from "./turns.ts";
import { type VirtualTime, virtualTime } from "./virtual_time.ts";

/** A server, and one client that it has accepted, in a time that the test passes. */
export interface TimedServing extends AsyncDisposable {
  readonly time: VirtualTime;
  readonly server: Server;
  /** Has not said a thing. */
  readonly client: Connection;
  /** What `onError` was told. */
  readonly errors: readonly unknown[];
}

export async function timedServing(handler: Handler, options: ServeOptions): Promise<TimedServing> {
  const time = virtualTime();
  const listener = await listen(LOOPBACK);
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const server = serve(listener, handler, { onError, ...options });
  const client = await connect(server.address);
  // Behind a proxy it is no client's before its header.
  await until(() => server.accepted + server.active > 0, "it is accepted");
  return {
    time,
    server,
    client,
    errors,
    async [Symbol.asyncDispose](): Promise<void> {
      await server.shutdown({ timeout: 0 });
      abort(client);
      await turns();
      time[Symbol.dispose]();
    },
  };
}
