/**
 * Gives a connection to libraries that want a stream of Node, so that they get its timeouts, errors and transports. In
 * your own program, import from "jsr:@aivi/sockets" instead.
 */
import { Duplex } from "node:stream";
import { abort, type Connection, type SocketAddress } from "../mod.ts";

/**
 * Makes a stream of Node. It keeps the back-pressure in both directions, ending it ends the sending side, and
 * destroying it aborts the connection.
 */
export function nodeStreamOf(connection: Connection<SocketAddress>): Duplex {
  const { readable, writable } = connection;
  // The types of Node describe streams of their own, which are the same.
  const pair: object = { readable, writable };
  const stream = Duplex.fromWeb(pair as Parameters<typeof Duplex.fromWeb>[0]);
  return stream.once("close", () => abort(connection));
}

/**
 * Makes a stream that looks like a `net.Socket` which has yet to connect, for libraries that call `connect` on it, as
 * `pg` does:
 *
 *     new pg.Client({ user, database, stream: () => socketLike(connection) })
 */
export function socketLike(connection: Connection<SocketAddress>): Duplex {
  const stream = nodeStreamOf(connection);
  const itself = () => stream;
  return Object.assign(stream, {
    setNoDelay: itself,
    setKeepAlive: itself,
    ref: itself,
    unref: itself,
    connect() {
      // The library adds its listener after the call.
      queueMicrotask(() => stream.emit("connect"));
      return stream;
    },
  });
}
