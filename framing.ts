/**
 * Messages in a stream of bytes: functions that receive a given number of bytes, up to a delimiter, or a
 * line, and codecs that find the frames of a protocol, each with a limit. They work on every connection, and
 * what they have read ahead stays with it: `recv` and all of these go on where the last one stopped.
 *
 * ```ts
 * import { accept, close, connect, framed, lengthPrefixed, listen } from "jsr:@aivi/sockets";
 * import { recvFrame, sendFrame } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 *
 * const messages = lengthPrefixed({ bytes: 2 });
 * await sendFrame(framed(client, messages), new TextEncoder().encode("hello"));
 * const message = await recvFrame(framed(server, messages), { timeout: 5000 });
 * console.log(new TextDecoder().decode(message!)); // hello
 *
 * await Promise.all([close(client), close(server)]);
 * ```
 *
 * @module
 */

import { checkSomeBytes } from "./bytes/byte_arguments.ts";
import {
  checkLimit,
  checkOptions,
  checkWhole,
  invalidInput,
  readArguments,
} from "./core/arguments.ts";
import type { Codec } from "./framing/codec.ts";
import { type FramedConnection, FramedStream } from "./framing/framed_connection.ts";
import { DelimitedReader, ExactReader, LineReader } from "./framing/reads.ts";
import { DEFAULT_MAX_LENGTH } from "./framing/lines.ts";
import type { StreamReader } from "./connection/pending_receive.ts";
import { notAConnection, StreamConnection } from "./connection/stream_connection.ts";
import type { SocketError } from "./errors.ts";
import type { Connection, OperationOptions } from "./types.ts";

export { ByteQueue } from "./bytes/byte_queue.ts";
export type { Codec, CodecOptions, Decoder } from "./framing/codec.ts";
export { delimited } from "./framing/delimited.ts";
export type { FramedConnection } from "./framing/framed_connection.ts";
export { lengthPrefixed, type LengthPrefixedOptions } from "./framing/length_prefixed.ts";
export { lines, type LinesOptions } from "./framing/lines.ts";
export { netstrings } from "./framing/netstrings.ts";
export { varintPrefixed } from "./framing/varint_prefixed.ts";

/** What {@linkcode recvUntil} and {@linkcode recvLine} take. */
export interface RecvUntilOptions extends OperationOptions {
  /**
   * The most bytes that may come before the delimiter, or be in a line without its ending: a whole number,
   * or `Infinity`.
   *
   * @default {65536}
   */
  maxBytes?: number;
}

/**
 * Receives a number of bytes, neither more nor less.
 *
 * @param connection Where to receive.
 * @param length How many bytes, from 0 to 2³² − 1; none are there at once.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns The bytes, which are the caller's own.
 *
 * Rejects as {@linkcode recv} does, and with `UnexpectedEof` where the stream ends before: the message says
 * how many bytes of how many came. They stay with the connection, for `recv` to give. So does what has come
 * when the call is cancelled: the next one goes on there.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recvExactly, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new Uint8Array([1, 2, 3, 4, 5]));
 * console.log(await recvExactly(server, 2)); // Uint8Array [ 1, 2 ]
 * console.log(await recvExactly(server, 3)); // Uint8Array [ 3, 4, 5 ]
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvExactly(
  connection: Connection,
  length: number,
  options?: OperationOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const operation = "recvExactly";
  return receive(operation, connection, options, () => {
    return new ExactReader(checkWhole(operation, "length", length, 0, 2 ** 32 - 1));
  }) as Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Receives up to a delimiter, which is taken as well.
 *
 * @param connection Where to receive.
 * @param delimiter What ends the part that is wanted: at least one byte.
 * @param options How many bytes may come before it, and when to give up: `signal`, and `timeout` in
 * milliseconds.
 * @returns The bytes before the delimiter, which are the caller's own, or `null` where the stream ends
 * first, with nothing before it.
 *
 * Rejects as {@linkcode recv} does; with `UnexpectedEof` where the stream ends in the middle, which leaves what
 * came to `recv`; and with `TooLarge` where more than `maxBytes` come without the delimiter: once, and a
 * call with the same delimiter drops the rest of that part and goes on after it. A cancelled call
 * leaves what has come to the next one.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recvUntil, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new Uint8Array([7, 8, 0, 9, 0]));
 * console.log(await recvUntil(server, new Uint8Array([0]))); // Uint8Array [ 7, 8 ]
 * console.log(await recvUntil(server, new Uint8Array([0]))); // Uint8Array [ 9 ]
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvUntil(
  connection: Connection,
  delimiter: Uint8Array,
  options?: RecvUntilOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const operation = "recvUntil";
  return receive(operation, connection, options, (stream) => {
    const bytes = checkSomeBytes(operation, "the delimiter", delimiter);
    return new DelimitedReader(stream, bytes, maxBytes(operation, options));
  });
}

/**
 * Receives a line of UTF-8 text, which LF or CRLF ends, or the end of stream.
 *
 * @param connection Where to receive.
 * @param options How many bytes a line may have, and when to give up: `signal`, and `timeout` in
 * milliseconds.
 * @returns The line without its ending, or `null` at the end of stream.
 *
 * Rejects as {@linkcode recv} does; with `InvalidData` where the line is not UTF-8, and the next call goes on
 * with the next line; and with `TooLarge` where it has more than `maxBytes`: once, and the next call
 * drops the rest of it and goes on with the next line. A cancelled call leaves what has come to the next one.
 *
 * @example
 * ```ts
 * import { accept, close, connect, listen, recvLine, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new TextEncoder().encode("HELO me\r\nQUIT\n"));
 * console.log(await recvLine(server)); // HELO me
 * console.log(await recvLine(server)); // QUIT
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvLine(
  connection: Connection,
  options?: RecvUntilOptions,
): Promise<string | null> {
  const operation = "recvLine";
  return receive(
    operation,
    connection,
    options,
    (stream) => new LineReader(stream, maxBytes(operation, options)),
  );
}

/**
 * Gives the messages of a connection a format. Nothing is read until a frame is asked for.
 *
 * A protocol may change its format in mid-stream: what was read ahead stays with the connection, and the
 * next codec, or `recv`, begins where the last frame ended. After a failure that a decoder does not go on
 * from, only what came of this call is over: the connection is as open as before.
 *
 * @param connection Where frames are sent and received.
 * @param codec Their format: {@linkcode lengthPrefixed}, {@linkcode lines} or another, or one of your own.
 * @returns The connection with frames, an async iterable of those that are received.
 * @throws {SocketError} `InvalidInput`, where it is not a connection or not a codec.
 *
 * @example An echo of lines
 * ```ts
 * import { accept, close, connect, framed, lines, listen } from "jsr:@aivi/sockets";
 * import { recvFrame, sendFrame } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = framed(await connect(listener.address), lines());
 * const server = framed(await accept(listener), lines());
 * await sendFrame(client, "hello");
 * for await (const line of server) {
 *   await sendFrame(server, line.toUpperCase());
 *   break;
 * }
 * console.log(await recvFrame(client)); // HELLO
 * await Promise.all([close(client.connection), close(server.connection)]);
 * ```
 */
export function framed<T>(connection: Connection, codec: Codec<T>): FramedConnection<T> {
  const operation = "framed";
  if (!StreamConnection.is(connection)) throw notAConnection(operation);
  return readArguments(operation, () => {
    if (typeof codec?.encode !== "function" || typeof codec.decoder !== "function") {
      throw invalidInput(operation, "the codec has no encode and decoder functions");
    }
    return new FramedStream(connection, codec);
  });
}

/**
 * Receives the next frame.
 *
 * @param framed What {@linkcode framed} gave.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns The frame, or `null` at the end of stream, again and again.
 *
 * Rejects as {@linkcode recv} does; with `UnexpectedEof` if the stream ends inside a frame; and as the codec
 * says: `TooLarge`, `InvalidData`, which is also the kind for a codec that gives `null`. After
 * `UnexpectedEof`, and after an error that loses the beginning of the next frame, each later call and each
 * iteration rejects with the same again, whatever other functions receive in the meantime; a bad frame that
 * the decoder has taken is reported once ({@linkcode Decoder} tells them apart). A codec that fails with what
 * is no `SocketError` is `Other`. A cancelled call loses nothing: the part of a frame that has come is the
 * next call's.
 *
 * @example
 * ```ts
 * import { accept, close, connect, framed, lines, listen } from "jsr:@aivi/sockets";
 * import { recvFrame, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * const server = framed(await accept(listener), lines());
 * await send(client, new TextEncoder().encode("half a"));
 * await recvFrame(server, { timeout: 10 }).catch((error) => console.log(error.kind)); // TimedOut
 * await send(client, new TextEncoder().encode(" line\n"));
 * console.log(await recvFrame(server)); // half a line
 * await Promise.all([close(client), close(server.connection)]);
 * ```
 */
export function recvFrame<T>(
  framed: FramedConnection<T>,
  options?: OperationOptions,
): Promise<T | null> {
  return FramedStream.is(framed)
    ? framed.recv(options) as Promise<T | null>
    : Promise.reject(notFramed("recvFrame"));
}

/**
 * Sends a frame, as {@linkcode send} sends bytes: whole, in the order of the calls, gathered with others that
 * wait.
 *
 * @param framed What {@linkcode framed} gave.
 * @param frame What to send. Where it is bytes, they must stay unchanged until the call settles.
 * @param options When to give up: `signal`, and `timeout` in milliseconds.
 * @returns When the operating system has taken all of it.
 *
 * Rejects as {@linkcode send} does, and a cancel leaves the same; and as the codec says, before anything is
 * sent: `InvalidInput` for what is no frame, `TooLarge`.
 *
 * @example
 * ```ts
 * import { accept, close, connect, framed, listen, netstrings, recv } from "jsr:@aivi/sockets";
 * import { sendFrame } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = framed(await connect(listener.address), netstrings());
 * const server = await accept(listener);
 * await sendFrame(client, new TextEncoder().encode("hello"));
 * console.log(new TextDecoder().decode((await recv(server))!)); // 5:hello,
 * await Promise.all([close(client.connection), close(server)]);
 * ```
 */
export function sendFrame<T>(
  framed: FramedConnection<T>,
  frame: T,
  options?: OperationOptions,
): Promise<void> {
  return FramedStream.is(framed)
    ? framed.send(frame, options)
    : Promise.reject(notFramed("sendFrame"));
}

/** Receives what a reading finds, once its arguments are right. */
function receive<T>(
  operation: string,
  connection: Connection,
  options: OperationOptions | undefined,
  reading: (connection: StreamConnection) => StreamReader<T>,
): Promise<T | null> {
  try {
    if (!StreamConnection.is(connection)) throw notAConnection(operation);
    return connection.recvDecoded(operation, reading(connection), options);
  } catch (error) {
    return Promise.reject(error);
  }
}

function maxBytes(operation: string, options: RecvUntilOptions | undefined): number {
  return readArguments(operation, () => {
    const { maxBytes } = checkOptions(operation, options);
    return checkLimit(operation, "maxBytes", maxBytes, DEFAULT_MAX_LENGTH, { whole: true });
  });
}

function notFramed(operation: string): SocketError {
  return invalidInput(operation, "the first argument is not a FramedConnection of framed");
}
