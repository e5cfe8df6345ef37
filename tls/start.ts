import { CheckedTransport } from "../connection/checked_transport.ts";
import type { HandedTransport } from "../connection/handed_transport.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import { Cancellation, type Cancelled, cancelledError } from "../core/cancellation.ts";
import { toSocketError } from "../core/error_mapping.ts";
import type { SocketError } from "../errors.ts";
import { observed } from "../observe/observers.ts";
import { openTransport, reportConnect } from "../tcp/connect.ts";
import { readTcpOptions } from "../tcp/options.ts";
import type { Address, ConnectOptions, OperationOptions, SocketAddress } from "../types.ts";
import { ClientHandshake, type EngineChoice } from "./client_handshake.ts";
import type { Handshake, TlsGround } from "./handshake.ts";
import type { ClientSettings } from "./options.ts";
import { checkOwnCertificate } from "./own_certificates.ts";
import { openTls, type TlsStreamConnection } from "./tls_connection.ts";

/** Connects over TCP and shakes hands. */
export async function connectOverTls(
  operation: string,
  target: Address,
  settings: ClientSettings,
  options: ConnectOptions | undefined,
): Promise<TlsStreamConnection> {
  const cancellation = Cancellation.read(operation, options);
  const tcp = readTcpOptions(operation, options);
  await checkClientCertificate(operation, settings);
  const begin = observed.connect === undefined ? undefined : performance.now();
  const connecting = untilCancelled(operation, cancellation, target, async (signal) => {
    const { handshakeTimeout: timeout } = settings;
    const limits = { operation, timeout, signal, address: target };
    const begin = async (choice: EngineChoice) => {
      const cancelled = Cancellation.read(operation, signal && { signal });
      const transport = await openTransport(target, tcp.settings, cancelled);
      const ground = { transport, isUntouched: true, readsForever: false };
      const handshake = new ClientHandshake(operation, ground, settings, choice);
      return { handshake, opening: openTls(transport, handshake, limits, tcp.sendQueueLimit) };
    };
    const { handshake, opening } = await begin("repeatable");
    try {
      return await opening;
    } catch (error) {
      if (!handshake.isRepeated || signal?.aborted === true) throw error;
      return await (await begin("not the runtime's")).opening;
    }
  });
  if (begin === undefined) return await connecting;
  try {
    const connection = await connecting;
    reportConnect(target, begin, { connection });
    return connection;
  } catch (error) {
    reportConnect(target, begin, { error: error as SocketError });
    throw error;
  }
}

/** The sides of `startTls`, which differ in their handshake only. */
export interface Side {
  /** Longest time of the handshake (ms). */
  readonly handshakeTimeout: number;
  /** Loads what the side needs, and checks its certificate, before any I/O. */
  prepare(): Promise<void>;
  makeHandshake(ground: TlsGround): Handshake;
}

/** Takes a connection over and shakes hands on it. */
export async function startOverConnection(
  operation: "startTls",
  connection: StreamConnection,
  side: Side,
  options: OperationOptions,
): Promise<TlsStreamConnection> {
  const cancellation = Cancellation.read(operation, options);
  const { peer, sendQueueLimit } = connection;
  await connection.prepareHandOver(operation, cancellation, () => side.prepare());
  return await untilCancelled(operation, cancellation, peer, async (signal) => {
    const handed = await handOver(connection, operation, signal);
    const ground = {
      transport: handed.hasReadAhead ? handed : handed.inner,
      isUntouched: !handed.hasReadAhead,
      readsForever: handed.inner instanceof CheckedTransport,
    };
    const successor = await openTls(ground.transport, side.makeHandshake(ground), {
      operation,
      timeout: side.handshakeTimeout,
      signal,
      address: peer,
    }, sendQueueLimit);
    connection.setSuccessor(successor);
    return successor;
  });
}

/** Takes the transport of a connection, which is aborted if that fails or is cancelled. */
async function handOver(
  connection: StreamConnection,
  operation: "startTls",
  signal: AbortSignal | undefined,
): Promise<HandedTransport> {
  const onAbort = () => connection.abort();
  signal?.addEventListener("abort", onAbort);
  try {
    if (signal?.aborted) onAbort();
    return await connection.handOver(operation);
  } catch (error) {
    connection.abort();
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Checks the key of a client's certificate, before any I/O. */
export async function checkClientCertificate(
  operation: string,
  { certificate }: ClientSettings,
): Promise<void> {
  if (certificate === undefined) return;
  checkOwnCertificate(operation, certificate, await import("../runtime/node_certificates.ts"));
}

/**
 * Runs work of several steps until its call is cancelled. The signal that the work gets aborts then; if it ends well all
 * the same, its connection is dropped.
 */
async function untilCancelled(
  operation: string,
  cancellation: Cancellation | undefined,
  address: SocketAddress | undefined,
  work: (signal: AbortSignal | undefined) => Promise<TlsStreamConnection>,
): Promise<TlsStreamConnection> {
  if (cancellation === undefined) return await work(undefined).catch(explain);
  const inner = new AbortController();
  const { promise: cancelled, reject } = Promise.withResolvers<never>();
  const stop = cancellation.watch((why: Cancelled) => {
    reject(cancelledError(why, operation, address));
    inner.abort();
  }, address);
  const working = work(inner.signal);
  working.then((connection) => {
    if (inner.signal.aborted) connection.abort();
  }, () => {});
  try {
    return await Promise.race([working, cancelled]).catch(explain);
  } finally {
    stop();
    cancelled.catch(() => {});
  }

  function explain(error: unknown): never {
    throw toSocketError(error, operation, { address });
  }
}
