/**
 * TLS: encrypted connections with peers that prove who they are.
 *
 * The error kinds that the functions reject with are explained in `docs/errors.md`.
 *
 * @module
 */

import { notAConnection, StreamConnection } from "./connection/stream_connection.ts";
import { StreamListener } from "./connection/stream_listener.ts";
import { checkAddress, checkSocketAddress } from "./core/address_check.ts";
import { checkOptions, describe, invalidInput, readArguments } from "./core/arguments.ts";
import { toSocketError } from "./core/error_mapping.ts";
import { platform } from "./runtime/platform.ts";
import { readListenOptions, readUnixListenOptions } from "./tcp/options.ts";
import { ClientHandshake } from "./tls/client_handshake.ts";
import { readClientOptions, readServerOptions } from "./tls/options.ts";
import { ServerHandshake, TlsServer } from "./tls/server_handshake.ts";
import {
  checkClientCertificate,
  connectOverTls,
  type Side,
  startOverConnection,
} from "./tls/start.ts";
import { TlsAcceptor } from "./tls/tls_acceptor.ts";
import type {
  Address,
  Connection,
  ConnectOptions,
  Listener,
  ListenOptions,
  OperationOptions,
  SocketAddress,
  TcpOptions,
  TlsClientOptions,
  TlsConnection,
  TlsServerOptions,
  TransportListener,
  UnixAddress,
  UnixListenOptions,
} from "./types.ts";

/**
 * Connects over TCP and speaks TLS. The server must show a certificate that a trusted authority has signed, that is
 * valid now, and that is for the host: there is no way to switch that off.
 *
 * @param address The host and port of the server. Its certificate must be for this host, or for `serverName`.
 * @param options Options of TLS, and those of `connect`. `timeout` and `signal` cover the connecting and the handshake,
 * `handshakeTimeout` (10 s) the handshake alone.
 * @returns The connection, once the handshake is done. Its `tls` says what was agreed on.
 *
 * Rejects with a {@linkcode SocketError}: the kinds of `connect`, and `CertificateRejected` (the message says why: no
 * trusted authority has signed it, it has expired, it is for other hosts, …), `TlsFailed` (the peer does not speak TLS,
 * or sent an alert, which is named), or `UnexpectedEof` (it ended during the handshake). A TLS 1.3 server may refuse this
 * side's certificate after the handshake: then the first receiving call says so.
 *
 * A cancelled call leaves no connection behind. Without a certificate of its own the runtime does the handshake, which
 * cannot be stopped: its descriptor is free when the peer closes.
 *
 * @example
 * ```ts
 * import { accept, close, connectTls, listen, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const connecting = connectTls(listener.address, { timeout: 5000 });
 * const mail = await accept(listener);
 * await send(mail, new TextEncoder().encode("220 I speak SMTP\r\n"));
 * const error = await connecting.catch((error) => error);
 * assertEquals(error.kind, "TlsFailed");
 * assertEquals(error.reason, "the peer does not speak TLS");
 * await close(mail);
 * ```
 */
export function connectTls(
  address: Address,
  options?: ConnectOptions & TlsClientOptions,
): Promise<TlsConnection>;
export async function connectTls(
  address: Address,
  options?: ConnectOptions & TlsClientOptions,
): Promise<TlsConnection<SocketAddress>> {
  const operation = "connectTls";
  const target = checkAddress(operation, address, 1);
  const settings = readClientOptions(operation, options, target.host);
  return await connectOverTls(operation, target, settings, options);
}

/**
 * Listens on a TCP port or a Unix socket for clients that speak TLS. `accept`, the iteration and `serve` give connections whose handshake
 * is done: each is a {@linkcode TlsConnection}. Handshakes run side by side, so a silent client blocks nobody; it is
 * dropped after `handshakeTimeout`. A client whose handshake fails is dropped, and the next one is waited for.
 *
 * @param address A host of this machine and a port, or the path of a Unix socket; port 0 lets the system choose.
 * @param options The certificate and its key, further options of TLS, and those of `listen`. With `clientCaCerts` every
 * client must show a certificate that one of these authorities has signed.
 * @returns The listener, once it listens.
 *
 * Rejects with a {@linkcode SocketError}: the kinds of `listen`. It is `InvalidInput`, too, if a certificate or a key
 * cannot be read, or if they do not belong together. It cannot be cancelled.
 *
 * @example
 * ```ts
 * import { accept, close, connectTls, listenTls, recv, send } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * // A certificate for localhost that has signed itself. Real ones come from files.
 * const cert = `-----BEGIN CERTIFICATE-----
 * MIIBSjCB8KADAgECAghOBlmHdmBuVzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAls
 * b2NhbGhvc3QwHhcNMjAwMTAxMDAwMDAwWhcNNDkxMjMxMDAwMDAwWjAUMRIwEAYD
 * VQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASODpmQBN69
 * rwQY4+h8eRI/XGu0RAdOI63fF22gB2XQ4LZZGObSjaxwPD9ScKkX4u4fcPHw2Rdp
 * Zjh924fzvkRKoywwKjAMBgNVHRMBAf8EAjAAMBoGA1UdEQQTMBGCCWxvY2FsaG9z
 * dIcEfwAAATAKBggqhkjOPQQDAgNJADBGAiEA/2HoD+WRKWU4OdjxsONv05N+wJNp
 * u/F8EEeBuUn4J8oCIQD95gkmzqg29DuCPtLK2OZmcpzZFvZVICYRvkMZPGwd4A==
 * -----END CERTIFICATE-----`;
 * const key = `-----BEGIN PRIVATE KEY-----
 * MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgabQ1NAzZa7NCjL/F
 * lXIAuKij9VFc6vKwmhcOv9e3truhRANCAASODpmQBN69rwQY4+h8eRI/XGu0RAdO
 * I63fF22gB2XQ4LZZGObSjaxwPD9ScKkX4u4fcPHw2RdpZjh924fzvkRK
 * -----END PRIVATE KEY-----`;
 * await using listener = await listenTls({ host: "127.0.0.1", port: 0 }, { cert, key });
 * const client = await connectTls(listener.address, { caCerts: [cert], serverName: "localhost" });
 * const connection = await accept(listener);
 * await send(client, new TextEncoder().encode("secret"));
 * assertEquals(new TextDecoder().decode((await recv(connection))!), "secret");
 * await Promise.all([close(client), close(connection)]);
 * ```
 */
export function listenTls(
  address: Address,
  options: ListenOptions & TlsServerOptions,
): Promise<Listener>;
/** Listens on a Unix socket for clients that speak TLS, as the first form says. */
export function listenTls(
  address: UnixAddress,
  options: UnixListenOptions & TlsServerOptions,
): Promise<Listener<UnixAddress>>;
/** Listens for clients that speak TLS on an address of either kind. */
export function listenTls(
  address: SocketAddress,
  options: TcpOptions & TlsServerOptions,
): Promise<Listener<SocketAddress>>;
export async function listenTls(
  address: SocketAddress,
  options: ListenOptions & UnixListenOptions & TlsServerOptions,
): Promise<Listener<SocketAddress>> {
  const operation = "listenTls";
  const where = checkSocketAddress(operation, address, 0);
  const { sendQueueLimit, open } = readListener(operation, where, options);
  const server = await TlsServer.load(operation, readServerOptions(operation, options));
  try {
    const source = await open();
    const acceptor = new TlsAcceptor(source, server, sendQueueLimit);
    return new StreamListener(
      acceptor,
      sendQueueLimit,
      (transport) => acceptor.connectionOf(transport),
    );
  } catch (error) {
    throw toSocketError(error, operation, { address: where });
  }
}

/**
 * Speaks TLS on a connection that is open already, as SMTP, PostgreSQL or LDAP do in mid-stream (STARTTLS). It works on
 * every connection: over TCP, a Unix socket, a transport of your own, or TLS itself.
 *
 * Sends that wait leave first. From the call on, the old handle is `Closed`; closing or aborting it does nothing
 * to the new one.
 *
 * @param connection The connection to take over. No receiving call may be under way, and every byte that has come must
 * have been received: bytes before the handshake are refused, since others may have put them there. Only after a PROXY
 * header may the handshake follow at once.
 * @param options `role` says which side this is, and the rest is as for {@linkcode connectTls} or {@linkcode listenTls}.
 * A client without `serverName` demands a certificate for the IP address of the peer. `signal` and `timeout` cover the
 * sends that wait and the handshake.
 * @returns The connection over TLS, once the handshake is done.
 *
 * Rejects with a {@linkcode SocketError}: `InvalidInput` (also if bytes were read ahead), `Closed`, `Aborted`,
 * `TimedOut`, `Busy`, `CertificateRejected`, `TlsFailed`, `UnexpectedEof`, or the error that broke the connection.
 * After `InvalidInput` and `Busy` the connection is as before, after the others it is closed.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recvLine, send, startTls } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * // A certificate for localhost that has signed itself. Real ones come from files.
 * const cert = `-----BEGIN CERTIFICATE-----
 * MIIBSjCB8KADAgECAghOBlmHdmBuVzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAls
 * b2NhbGhvc3QwHhcNMjAwMTAxMDAwMDAwWhcNNDkxMjMxMDAwMDAwWjAUMRIwEAYD
 * VQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASODpmQBN69
 * rwQY4+h8eRI/XGu0RAdOI63fF22gB2XQ4LZZGObSjaxwPD9ScKkX4u4fcPHw2Rdp
 * Zjh924fzvkRKoywwKjAMBgNVHRMBAf8EAjAAMBoGA1UdEQQTMBGCCWxvY2FsaG9z
 * dIcEfwAAATAKBggqhkjOPQQDAgNJADBGAiEA/2HoD+WRKWU4OdjxsONv05N+wJNp
 * u/F8EEeBuUn4J8oCIQD95gkmzqg29DuCPtLK2OZmcpzZFvZVICYRvkMZPGwd4A==
 * -----END CERTIFICATE-----`;
 * const key = `-----BEGIN PRIVATE KEY-----
 * MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgabQ1NAzZa7NCjL/F
 * lXIAuKij9VFc6vKwmhcOv9e3truhRANCAASODpmQBN69rwQY4+h8eRI/XGu0RAdO
 * I63fF22gB2XQ4LZZGObSjaxwPD9ScKkX4u4fcPHw2RdpZjh924fzvkRK
 * -----END PRIVATE KEY-----`;
 * const line = (text: string) => new TextEncoder().encode(`${text}\n`);
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [plain, accepted] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(plain, line("STARTTLS"));
 * assertEquals(await recvLine(accepted), "STARTTLS");
 * await send(accepted, line("220 go ahead"));
 * const serving = startTls(accepted, { role: "server", cert, key });
 * assertEquals(await recvLine(plain), "220 go ahead");
 * const client = await startTls(plain, { role: "client", caCerts: [cert], serverName: "localhost" });
 * const server = await serving;
 * await send(client, line("secret"));
 * assertEquals(await recvLine(server), "secret");
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function startTls<A extends SocketAddress = Address>(
  connection: Connection<A>,
  options:
    & OperationOptions
    & ({ role: "client" } & TlsClientOptions | { role: "server" } & TlsServerOptions),
): Promise<TlsConnection<A>>;
export async function startTls(
  connection: Connection<SocketAddress>,
  options:
    & OperationOptions
    & ({ role: "client" } & TlsClientOptions | { role: "server" } & TlsServerOptions),
): Promise<TlsConnection<SocketAddress>> {
  const operation = "startTls";
  if (!StreamConnection.is(connection)) throw notAConnection(operation);
  const side = readSide(operation, connection, options);
  return await startOverConnection(operation, connection, side, options);
}

/** Reads the options of a listener of either kind, and gives the function that opens it. */
function readListener(
  operation: string,
  where: SocketAddress,
  options: (ListenOptions & UnixListenOptions) | undefined,
): { readonly sendQueueLimit: number; open(): Promise<TransportListener> } {
  if (where.host === undefined) {
    const { settings, sendQueueLimit } = readUnixListenOptions(operation, where.path, options);
    return { sendQueueLimit, open: () => platform.listenUnix(where, settings) };
  }
  const { settings, sendQueueLimit } = readListenOptions(operation, options);
  return { sendQueueLimit, open: () => platform.listen(where, settings) };
}

function readSide(
  operation: string,
  connection: StreamConnection,
  options: Parameters<typeof startTls>[1],
): Side {
  const role: unknown = readArguments(operation, () => checkOptions(operation, options).role);
  if (role === "client") {
    const { remoteAddress } = connection;
    const settings = readClientOptions(
      operation,
      options as TlsClientOptions,
      remoteAddress.host ?? "",
    );
    return {
      handshakeTimeout: settings.handshakeTimeout,
      prepare: () => checkClientCertificate(operation, settings),
      makeHandshake: (ground) => new ClientHandshake(operation, ground, settings, "any"),
    };
  }
  if (role !== "server") {
    throw invalidInput(operation, `role is ${describe(role)}, not "client" or "server"`);
  }
  const settings = readServerOptions(operation, options as TlsServerOptions);
  let server: TlsServer;
  return {
    handshakeTimeout: settings.handshakeTimeout,
    prepare: async () => {
      server = await TlsServer.load(operation, settings);
    },
    makeHandshake: (ground) => new ServerHandshake(server, ground),
  };
}
