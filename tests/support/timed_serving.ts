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

/** A server and one client that it has accepted, in virtual time. */
export interface TimedServing extends AsyncDisposable {
  readonly time: VirtualTime;
  readonly server: Server;
  /** A client that has sent nothing. */
  readonly client: Connection;
  /** Errors that `onError` has heard. */
  readonly errors: readonly unknown[];
}

/** Starts a server in virtual time, and connects one client. */
export async function timedServing(handler: Handler, options: ServeOptions): Promise<TimedServing> {
  const time = virtualTime(turns);
  const listener = await listen(LOOPBACK);
  const errors: unknown[] = [];
  const onError = (error: unknown) => void errors.push(error);
  const server = serve(listener, handler, { onError, ...options });
  const client = await connect(server.address);
  // With `proxyProtocol` it is not handled before its header.
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
