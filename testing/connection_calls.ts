import { concat } from "@std/bytes/concat";
import { notAConnection, StreamConnection } from "../connection/stream_connection.ts";
import { ignoreRejection } from "../core/waiting_calls.ts";
import { SocketError, type SocketErrorKind } from "../errors.ts";
import type {
  CloseOptions,
  Connection,
  OperationOptions,
  RecvOptions,
  SocketAddress,
} from "../types.ts";
import { expect, expectEqual } from "./expectations.ts";

// The functions of the faces, which a room cannot import.

/** Returns the connection behind a handle of a caller. */
export function streamOf(connection: Connection<SocketAddress>): StreamConnection {
  if (StreamConnection.is(connection)) return connection;
  throw notAConnection("checkConnection");
}

export function send(
  connection: Connection<SocketAddress>,
  bytes: Uint8Array,
  options?: OperationOptions,
): Promise<void> {
  return streamOf(connection).send(bytes, options);
}

export function recv(
  connection: Connection<SocketAddress>,
  options?: RecvOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  return streamOf(connection).recv(options);
}

export function recvInto(
  connection: Connection<SocketAddress>,
  buffer: Uint8Array,
  options?: RecvOptions,
): Promise<number | null> {
  return streamOf(connection).recvInto(buffer, options);
}

export function closeWrite(connection: Connection<SocketAddress>): Promise<void> {
  return streamOf(connection).closeWrite();
}

export function close(
  connection: Connection<SocketAddress>,
  options?: CloseOptions,
): Promise<void> {
  return streamOf(connection).close(options);
}

export function abort(connection: Connection<SocketAddress>): void {
  streamOf(connection).abort();
}

/** Returns a promise that a row awaits later: if the row fails before, its rejection must not end the process. */
export function later<T>(promise: Promise<T>): Promise<T> {
  ignoreRejection(promise);
  return promise;
}

/** Receives until the end of stream. */
export async function recvAll(connection: Connection<SocketAddress>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of connection) chunks.push(chunk);
  return concat(chunks);
}

/** Receives a number of bytes, and fails if the stream ends before. */
export async function recvExactly(
  connection: Connection<SocketAddress>,
  length: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let missing = length; missing > 0;) {
    const chunk = await recv(connection, { maxBytes: missing });
    expect(chunk !== null, `the stream ended ${missing} bytes too early`);
    chunks.push(chunk);
    missing -= chunk.length;
  }
  return concat(chunks);
}

/** Waits for the rejection of a call, and fails if it is of another kind or does not come. */
export async function rejects(
  promise: Promise<unknown>,
  kind: SocketErrorKind,
): Promise<SocketError> {
  const outcome = await promise.then(() => "the call resolved", (error: unknown) => error);
  expect(outcome instanceof SocketError, `${kind} was expected, and not ${String(outcome)}`);
  expectEqual(outcome.kind, kind, outcome.message);
  return outcome;
}
