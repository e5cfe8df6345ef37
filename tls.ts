/**
 * TLS: encrypted connections with peers that prove who they are.
 *
 * The error kinds that the functions reject with are explained in `docs/errors.md`.
 *
 * @module
 */

import { notAConnection, StreamConnection } from "./connection/stream_connection.ts";
import { StreamListener } from "./connection/stream_listener.ts";
import { checkAddress } from "./core/address_check.ts";
import { checkOptions, describe, invalidInput, readArguments } from "./core/arguments.ts";
import { toSocketError } from "./core/error_mapping.ts";
import { denoBackend } from "./runtime/deno_backend.ts";
import { readListenOptions } from "./tcp/options.ts";
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
import { TlsStreamConnection } from "./tls/tls_connection.ts";
import type {
  Address,
  Connection,
  ConnectOptions,
  Listener,
  ListenOptions,
  OperationOptions,
  SocketAddress,
  TlsClientOptions,
  TlsConnection,
  TlsServerOptions,
} from "./types.ts";

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

export function listenTls(
  address: Address,
  options: ListenOptions & TlsServerOptions,
): Promise<Listener>;
export async function listenTls(
  address: Address,
  options: ListenOptions & TlsServerOptions,
): Promise<Listener<SocketAddress>> {
  const operation = "listenTls";
  const where = checkAddress(operation, address, 0);
  const { settings, sendQueueLimit } = readListenOptions(operation, options);
  const server = await TlsServer.load(operation, readServerOptions(operation, options));
  try {
    const acceptor = new TlsAcceptor(await denoBackend.listen(where, settings), server);
    return new StreamListener(
      acceptor,
      sendQueueLimit,
      (transport, limit) => new TlsStreamConnection(acceptor.sessionOf(transport), limit),
    );
  } catch (error) {
    throw toSocketError(error, operation, { address: where });
  }
}

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
      makeHandshake: (ground) => new ClientHandshake(operation, ground, settings),
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
