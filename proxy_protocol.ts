/**
 * The PROXY protocol, with which a load balancer names the client that it connects for: a header before the first byte
 * of the stream, as a line of text (version 1) or in binary form (version 2). HAProxy's `proxy-protocol.txt`
 * specifies it.
 *
 * @module
 */

import { checkOptions, describe, invalidInput, readArguments } from "./core/arguments.ts";
import { checkHeaderInit } from "./proxy_protocol/check_header.ts";
import { ProxyHeaderReader } from "./proxy_protocol/read_header.ts";
import { encodeProxyV1 } from "./proxy_protocol/v1.ts";
import { encodeProxyV2 } from "./proxy_protocol/v2.ts";
import { notAConnection, StreamConnection } from "./connection/stream_connection.ts";
import type {
  Address,
  Connection,
  EncodeProxyHeaderOptions,
  OperationOptions,
  ProxyHeaderInit,
  ReceivedProxyHeader,
  SocketAddress,
} from "./types.ts";

const ENCODE = "encodeProxyHeader";

/**
 * Receives the PROXY header that a connection begins with, version 1 or 2. Afterwards the connection's
 * `remoteAddress` is the client's; if the header names no client (`LOCAL`, `UNKNOWN`), it stays the peer's. The bytes
 * behind the header are left to the next receiving call.
 *
 * Anybody who connects can write a header: receive one only from peers that you trust, and from them always. The option
 * `proxyProtocol` of `serve` does that.
 *
 * @param connection A connection that begins with a header; nothing of it has been received yet.
 * @param options `signal` and `timeout` (ms). A cancelled call leaves the bytes that have come to the next one.
 * @returns The header, frozen, with the peer that sent it.
 *
 * Rejects as {@linkcode recv} does; with `InvalidData` as soon as the bytes cannot become a header; with `TooLarge` if
 * the header has more than 16,384 bytes, the most that HAProxy can write; and with `UnexpectedEof` if the stream ends
 * inside it.
 *
 * @example
 * ```ts
 * import { accept, close, connect, encodeProxyHeader, listen } from "jsr:@aivi/sockets";
 * import { recvProxyHeader, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * const source = { host: "192.0.2.1", port: 56324 };
 * const destination = { host: "192.0.2.2", port: 443 };
 * await send(client, encodeProxyHeader({ source, destination }, { version: 2 }));
 * const header = await recvProxyHeader(server, { timeout: 5000 });
 * assertEquals(header.peer, client.localAddress);
 * assertEquals(server.remoteAddress, source);
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvProxyHeader<A extends SocketAddress = Address>(
  connection: Connection<A>,
  options?: OperationOptions,
): Promise<ReceivedProxyHeader<A>>;
export function recvProxyHeader(
  connection: Connection<SocketAddress>,
  options?: OperationOptions,
): Promise<ReceivedProxyHeader<SocketAddress>> {
  const operation = "recvProxyHeader";
  if (!StreamConnection.is(connection)) return Promise.reject(notAConnection(operation));
  const reader = new ProxyHeaderReader(connection);
  // The reader rejects at the end of the stream, so there is no `null`.
  return connection.recvDecoded(operation, reader, options) as Promise<
    ReceivedProxyHeader<SocketAddress>
  >;
}

/**
 * Writes the header that names the client of a connection. Send it before anything else, in one `send`.
 *
 * A header without addresses says that the client is unknown. Some receivers drop that in version 2 (HAProxy 2.6
 * does); every receiver accepts `command: "LOCAL"`, which is for a connection of the proxy's own. If one address is IPv4
 * and the other one IPv6, the IPv4 one is written as the IPv6 address that carries it (`::ffff:a.b.c.d`).
 *
 * A received {@linkcode ProxyHeader} can be passed on as it is in version 2, unless it is for a Unix socket. Version 1
 * has only TCP addresses, or none, and no other fields: of a header with more, pass on `source` and `destination`
 * alone, and `{}` instead of a `LOCAL` one.
 *
 * @param header The fields: addresses written out, ports 0 to 65535, `authority` of at most 255 bytes and `uniqueId`
 * of at most 128. In version 2 `crc32c: true` adds a checksum. `LOCAL` and a header without addresses have no other
 * fields.
 * @param options The version, which the receiver must be able to read.
 * @returns The bytes: at most 107 in version 1, at most 65,551 in version 2. Receivers may accept less, HAProxy 16,384
 * bytes.
 * @throws {SocketError} `InvalidInput` if that version cannot say what the header has.
 *
 * @example
 * ```ts
 * import { encodeProxyHeader } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const source = { host: "2001:db8::1", port: 56324 };
 * const destination = { host: "2001:db8::2", port: 443 };
 * const line = encodeProxyHeader({ source, destination }, { version: 1 });
 * assertEquals(
 *   new TextDecoder().decode(line),
 *   "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n",
 * );
 * const authority = "example.com";
 * const bytes = encodeProxyHeader({ source, destination, authority, crc32c: true }, { version: 2 });
 * assertEquals(bytes.length, 73);
 * ```
 */
export function encodeProxyHeader(
  header: ProxyHeaderInit,
  options: EncodeProxyHeaderOptions,
): Uint8Array<ArrayBuffer> {
  const checked = readArguments(ENCODE, () => {
    const { version } = checkOptions<Partial<EncodeProxyHeaderOptions>>(ENCODE, options);
    if (version !== 1 && version !== 2) {
      throw invalidInput(ENCODE, `version is ${describe(version)}, not 1 or 2`);
    }
    return checkHeaderInit(header, version);
  });
  const bytes = checked.version === 1 ? encodeProxyV1(checked) : encodeProxyV2(checked);
  if (bytes === undefined) {
    throw invalidInput(ENCODE, "the fields of the header do not fit its 65535 bytes");
  }
  return bytes;
}
