/**
 * Connections that stay for days.
 *
 * @module
 */

import { readArguments } from "./core/arguments.ts";
import { KeptLink } from "./session/link.ts";
import { type LinkSettings, readLinkOptions } from "./session/link_options.ts";
import { connectStream } from "./tcp/connect.ts";
import type {
  Address,
  Endpoints,
  KeepConnectedOptions,
  Link,
  LinkSession,
  SocketAddress,
} from "./types.ts";

export { heartbeat, type HeartbeatOptions } from "./session/heartbeat.ts";

/**
 * Keeps a connection until the link is closed. It connects at once, hands the connection to your session, and connects
 * again whenever that is over.
 *
 * A session that returns is over: its connection is closed as by `close`. A session that throws is over as well: its
 * connection is aborted, and `retry` decides if the link goes on. There is one session at a time.
 *
 * Pauses between attempts are random between 0 and a limit that doubles, up to 30 seconds ("full jitter"), so that a
 * server that comes back does not get all its clients at once. They are short again only after a session that was ready
 * for `stableAfter`, not after mere connecting. Names are resolved at each attempt.
 *
 * There is no queue of messages, no replay and no resume, since only your protocol knows what a message means that
 * arrives twice. If the peer or the network breaks a connection, a send that still waited rejects with `bytesSent: 0`:
 * it has not left, and can be repeated. Of what the system has taken, only an answer of the peer says if it arrived.
 * `examples/outbox.ts` delivers each message at least once.
 *
 * @typeParam A The kind of the addresses, such as `UnixAddress`.
 * @param endpoints An address, a list of them, or a function that is asked at each attempt.
 * @param session Works with each connection. It says `ready()` once it may be used, gives `signal` to the calls that
 * wait, and ends when the connection does.
 * @param options Limits of time and attempts, and callbacks.
 * @returns The link, which works at once.
 * @throws {SocketError} `InvalidInput` if an argument is wrong. Everything later goes to `retry`, and ends the link if
 * that says no: see `finished` and `up`.
 *
 * @example
 * ```ts
 * import { keepConnected, lines, listen, framed, recvLine, send, sendFrame, serve } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const encode = (text: string) => new TextEncoder().encode(text);
 * await using server = serve(await listen({ host: "127.0.0.1", port: 0 }), async (connection) => {
 *   await send(connection, encode("welcome\n"));
 *   assertEquals(await recvLine(connection), "hello");
 * });
 *
 * await using link = keepConnected(server.address, async (connection, { ready, signal }) => {
 *   assertEquals(await recvLine(connection, { signal }), "welcome");
 *   ready();
 *   while (await recvLine(connection, { signal }) !== null);
 * });
 *
 * const connection = await link.up({ timeout: 5000 });
 * await sendFrame(framed(connection, lines()), "hello");
 * assertEquals(link.state, "ready");
 * ```
 */
export function keepConnected<A extends SocketAddress = Address>(
  endpoints: Endpoints<A>,
  session: LinkSession<NoInfer<A>>,
  options?: KeepConnectedOptions<NoInfer<A>>,
): Link<A> {
  // Inside, addresses of any kind are alike: what `endpoints` gives is what the functions get.
  const read = readLinkOptions as unknown as (
    endpoints: Endpoints<A>,
    session: LinkSession<A>,
    options: KeepConnectedOptions<A> | undefined,
    connect: typeof connectStream,
  ) => LinkSettings;
  const settings = readArguments(
    "keepConnected",
    () => read(endpoints, session, options, connectStream),
  );
  return new KeptLink(settings) as Link<SocketAddress> as Link<A>;
}
