/**
 * TCP, Unix and UDP sockets for custom protocols and connections that stay open for days.
 *
 * The runtime's own sockets leave much to each program that is done here once. A send is whole and in order, a
 * cancelled call loses nothing, closing delivers what was sent, and an accept loop survives its clients. Every
 * failure is one {@linkcode SocketError} that names the operation, the address and the missing permission.
 *
 * ```ts
 * import { accept, close, connect, listen, recv, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address, { timeout: 5000 });
 * const connection = await accept(listener);
 *
 * await send(client, new TextEncoder().encode("hello"));
 * const bytes = await recv(connection, { timeout: 5000 }); // null at the peer's end of stream
 * assertEquals(new TextDecoder().decode(bytes!), "hello");
 *
 * await Promise.all([close(client), close(connection)]);
 * ```
 *
 * UDP works the same way:
 *
 * ```ts
 * import { bindUdp, recvFrom, sendTo } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
 * await sendTo(socket, socket.address, new TextEncoder().encode("ping"));
 * const { from, bytes } = await recvFrom(socket);
 * assertEquals(from, socket.address);
 * assertEquals(new TextDecoder().decode(bytes), "ping");
 * ```
 *
 * Protocols have frames, and servers have limits:
 *
 * ```ts
 * import { close, connect, framed, lines, listen, recvFrame, sendFrame, serve } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using server = serve(listener, async (connection) => {
 *   const stream = framed(connection, lines());
 *   for await (const line of stream) await sendFrame(stream, line.toUpperCase());
 * }, { maxConnectionsPerHost: 100, idleTimeout: 60_000 });
 *
 * const stream = framed(await connect(server.address), lines());
 * await sendFrame(stream, "hello");
 * assertEquals(await recvFrame(stream, { timeout: 5000 }), "HELLO");
 * await close(stream.connection);
 * ```
 *
 * The package needs `--allow-net` only, and for the path of a Unix socket `--allow-read` and `--allow-write`. Under `--unstable-net` UDP is faster and `reusePort` works.
 *
 * @module
 */

export { formatAddress, parseAddress, parseSocketAddress } from "./address.ts";
export * from "./connection.ts";
export * from "./errors.ts";
export * from "./framing.ts";
export * from "./handles.ts";
export * from "./observe.ts";
export * from "./permissions.ts";
export * from "./proxy_protocol.ts";
export * from "./serve.ts";
export * from "./session.ts";
export * from "./tcp.ts";
export * from "./tls.ts";
export type * from "./types.ts";
export * from "./udp.ts";
