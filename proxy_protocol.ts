/**
 * The PROXY protocol, with which a load balancer says on whose behalf it connects: a header before
 * the first byte of the stream, as a line of text (version 1) or in binary form (version 2). It is
 * specified in HAProxy's `proxy-protocol.txt`.
 *
 * @example A client that says on whose behalf it connects
 * ```ts
 * import { accept, close, connect, encodeProxyHeader, listen, recv, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const connection = await connect(listener.address);
 * const header = encodeProxyHeader({
 *   source: { host: "192.0.2.1", port: 56324 },
 *   destination: { host: "192.0.2.2", port: 443 },
 * }, { version: 1 });
 * await send(connection, header); // before anything else
 *
 * const server = await accept(listener);
 * console.log(new TextDecoder().decode((await recv(server))!));
 * // PROXY TCP4 192.0.2.1 192.0.2.2 56324 443
 * await Promise.all([close(connection), close(server)]);
 * ```
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
  Connection,
  EncodeProxyHeaderOptions,
  OperationOptions,
  ProxyHeaderInit,
  ReceivedProxyHeader,
} from "./types.ts";

const ENCODE = "encodeProxyHeader";

/**
 * Receives the PROXY header that a connection begins with, version 1 or 2. Afterwards the connection's
 * `remoteAddress` is the client's, and its `proxy` has the header and the real peer; where the header
 * says nothing about a client (`LOCAL`, `UNKNOWN`), `remoteAddress` stays the real peer's. What follows the
 * header is for the next receiving call.
 *
 * Whoever connects can write a header: receive one only from peers that you trust, and from them always.
 * `serve` does that with its option `proxyProtocol`.
 *
 * @param connection What begins with a header; nothing of it has been received yet.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns The header, frozen, with the real peer.
 *
 * Rejects as {@linkcode recv} does; with `InvalidData` as soon as what comes cannot be a header; with `TooLarge`
 * where it has more than 16,384 bytes, which is what HAProxy can write; and with `UnexpectedEof` where the
 * stream ends inside it. A cancelled call leaves what has come to the next one.
 *
 * @example
 * ```ts
 * import { accept, close, connect, encodeProxyHeader, listen } from "jsr:@aivi/sockets";
 * import { recvProxyHeader, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * const source = { host: "192.0.2.1", port: 56324 };
 * const destination = { host: "192.0.2.2", port: 443 };
 * await send(client, encodeProxyHeader({ source, destination }, { version: 2 }));
 * await recvProxyHeader(server, { timeout: 5000 });
 * console.log(server.remoteAddress); // { host: "192.0.2.1", port: 56324 }
 * console.log(server.proxy?.peer.host); // 127.0.0.1
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvProxyHeader(
  connection: Connection,
  options?: OperationOptions,
): Promise<ReceivedProxyHeader> {
  const operation = "recvProxyHeader";
  if (!StreamConnection.is(connection)) return Promise.reject(notAConnection(operation));
  const reading = new ProxyHeaderReader(connection);
  return connection.recvDecoded(operation, reading, options) as Promise<ReceivedProxyHeader>;
}

/**
 * Writes the header with which a client says on whose behalf it connects. It goes out before
 * anything else, in one `send`.
 *
 * Without addresses it says that nothing is known of the client. In version 2 some receivers drop that
 * (HAProxy 2.6 does), where `command: "LOCAL"`, for a connection of the proxy's own, must be taken. Where
 * one address is IPv4 and the other one IPv6, the IPv4 one is written as the IPv6 address that carries
 * it (`::ffff:a.b.c.d`), which receivers of this package give back as IPv4.
 *
 * A {@linkcode ProxyHeader} that was received can be passed on as it is in version 2, but for Unix sockets;
 * in version 1 only one with TCP addresses, or of `PROXY` without any, and with nothing beside them. What
 * version 1 cannot say is `InvalidInput`: of a header with more, pass on `source` and `destination` alone,
 * and `{}` instead of a `LOCAL` one.
 *
 * @param header What to say: addresses as literals, ports 0 to 65535; `authority` of at most 255 bytes
 * and `uniqueId` of at most 128. In version 2 `crc32c: true` adds a checksum. Beside `LOCAL`, or without
 * addresses, nothing else can be said.
 * @param options The version, which the receiver must be able to read.
 * @returns The bytes: at most 107 in version 1, at most 65,551 in version 2. Receivers may take less,
 * HAProxy 16,384 bytes.
 * @throws {SocketError} `InvalidInput`, where the header cannot be said in that version.
 *
 * @example
 * ```ts
 * import { encodeProxyHeader } from "jsr:@aivi/sockets";
 *
 * const bytes = encodeProxyHeader({
 *   source: { host: "2001:db8::1", port: 56324 },
 *   destination: { host: "2001:db8::2", port: 443 },
 *   authority: "example.com",
 *   uniqueId: new TextEncoder().encode("request-7"),
 *   crc32c: true,
 * }, { version: 2 });
 * console.log(bytes.length); // 85
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
    throw invalidInput(ENCODE, "the header says more than the 65535 bytes that fit its length");
  }
  return bytes;
}
