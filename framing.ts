/**
 * Messages in a stream of bytes: functions that receive a given number of bytes, the bytes up to a delimiter,
 * or a line; and codecs that find the frames of a protocol. Each has a limit. They work on every connection,
 * and bytes that they have read ahead stay with it: `recv` and all of these go on where the last one stopped.
 *
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, connect, framed, lengthPrefixed, listen } from "jsr:@aivi/sockets";
 * import { recvFrame, sendFrame } from "jsr:@aivi/sockets";
 *
 * const messages = lengthPrefixed({ bytes: 2 });
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = framed(await connect(listener.address), messages);
 * await using server = framed(await accept(listener), messages);
 *
 * const hello = new TextEncoder().encode("hello");
 * await sendFrame(client, hello);
 * assertEquals(await recvFrame(server, { timeout: 5000 }), hello);
 * ```
 *
 * @module
 */

import { checkSomeBytes } from "./bytes/byte_arguments.ts";
import type { StreamReader } from "./connection/pending_receive.ts";
import { notAConnection, StreamConnection } from "./connection/stream_connection.ts";
import { checkWhole, invalidInput, readArguments } from "./core/arguments.ts";
import type { SocketError } from "./errors.ts";
import type { Codec } from "./framing/codec.ts";
import {
  checkIsCodec,
  DEFAULT_MAX_LINE_LENGTH_BYTES,
  readMaxLength,
} from "./framing/codec_support.ts";
import type { RecvFramesOptions } from "./framing/frame_batch.ts";
import { type FramedConnection, FramedStreamConnection } from "./framing/framed_connection.ts";
import { DelimitedReader, ExactReader, LineReader } from "./framing/reads.ts";
import type { Address, Connection, OperationOptions, SocketAddress } from "./types.ts";

export { ByteQueue } from "./bytes/byte_queue.ts";
export type { Codec, CodecOptions, Decoder, Encoder } from "./framing/codec.ts";
export { frameBytes, frameTooLarge, invalidFrame } from "./framing/codec_support.ts";
export { contentLength } from "./framing/content_length.ts";
export { delimited } from "./framing/delimited.ts";
export type { RecvFramesOptions } from "./framing/frame_batch.ts";
export { json, type JsonValue } from "./framing/json.ts";
export { type FrameMapping, mapCodec } from "./framing/map_codec.ts";
export type { FramedConnection } from "./framing/framed_connection.ts";
export { lengthField, type LengthFieldOptions } from "./framing/length_field.ts";
export { lengthPrefixed, type LengthPrefixedOptions } from "./framing/length_prefixed.ts";
export { lines, type LinesOptions } from "./framing/lines.ts";
export { netstrings, octetCounted } from "./framing/decimal_length.ts";
export { varintPrefixed } from "./framing/varint_prefixed.ts";

/** Options of {@linkcode recvUntil}. */
export interface RecvUntilOptions extends OperationOptions {
  /**
   * Maximum number of bytes before the delimiter: a whole number, or `Infinity`. The default is that of
   * {@linkcode delimited}.
   *
   * @default {1048576}
   */
  maxLength?: number;
}

/** Options of {@linkcode recvLine}. */
export interface RecvLineOptions extends OperationOptions {
  /**
   * Maximum number of bytes in a line, without its ending: a whole number, or `Infinity`. The default is that
   * of {@linkcode lines}.
   *
   * @default {65536}
   */
  maxLength?: number;
}

/**
 * Receives a number of bytes, neither more nor less.
 *
 * @param connection The connection to receive from.
 * @param length Number of bytes, from 0 to 2³² − 1; 0 resolves without waiting.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns The bytes, which are the caller's own.
 *
 * Rejects as {@linkcode recv} does, and with `UnexpectedEof` if the stream ends before: the message says how
 * many bytes came. They stay with the connection, and so do the bytes that have come if the call is cancelled:
 * the next call gets them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, close, connect, listen, recvExactly, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new Uint8Array([1, 2, 3, 4, 5]));
 * assertEquals(await recvExactly(server, 2), new Uint8Array([1, 2]));
 * assertEquals(await recvExactly(server, 3), new Uint8Array([3, 4, 5]));
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvExactly(
  connection: Connection<SocketAddress>,
  length: number,
  options?: OperationOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const operation = "recvExactly";
  return receive(operation, connection, options, () => {
    return new ExactReader(checkWhole(operation, "length", length, 0, 2 ** 32 - 1));
  }) as Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Receives the bytes up to a delimiter, and drops the delimiter.
 *
 * @param connection The connection to receive from.
 * @param delimiter The end of the part: at least one byte.
 * @param options `maxLength` in bytes, `signal`, and `timeout` in milliseconds.
 * @returns The bytes before the delimiter, which are the caller's own, or `null` at the end of stream.
 *
 * Rejects as {@linkcode recv} does; with `UnexpectedEof` if the stream ends without the delimiter, and `recv`
 * gives the bytes that came; and with `TooLarge` if more than `maxLength` bytes come without the delimiter.
 * `TooLarge` is reported once: the next call with the same delimiter drops the rest of that part and goes on
 * after it. A cancelled call loses nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, close, connect, listen, recvUntil, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new Uint8Array([7, 8, 0, 9, 0]));
 * assertEquals(await recvUntil(server, new Uint8Array([0])), new Uint8Array([7, 8]));
 * assertEquals(await recvUntil(server, new Uint8Array([0])), new Uint8Array([9]));
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvUntil(
  connection: Connection<SocketAddress>,
  delimiter: Uint8Array,
  options?: RecvUntilOptions,
): Promise<Uint8Array<ArrayBuffer> | null> {
  const operation = "recvUntil";
  return receive(operation, connection, options, (stream) => {
    const bytes = checkSomeBytes(operation, "the delimiter", delimiter);
    return new DelimitedReader(stream, bytes, readMaxLength(operation, options));
  });
}

/**
 * Receives a line of UTF-8 text, which ends with LF, CRLF or the end of stream.
 *
 * @param connection The connection to receive from.
 * @param options `maxLength` in bytes, `signal`, and `timeout` in milliseconds.
 * @returns The line without its ending, or `null` at the end of stream.
 *
 * Rejects as {@linkcode recv} does; with `InvalidData` if the line is not UTF-8; and with `TooLarge` if it has
 * more than `maxLength` bytes. After either the next call goes on with the next line. A cancelled call loses
 * nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, close, connect, listen, recvLine, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await send(client, new TextEncoder().encode("HELO me\r\nQUIT\n"));
 * assertEquals(await recvLine(server), "HELO me");
 * assertEquals(await recvLine(server), "QUIT");
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export function recvLine(
  connection: Connection<SocketAddress>,
  options?: RecvLineOptions,
): Promise<string | null> {
  const operation = "recvLine";
  return receive(operation, connection, options, (stream) => {
    return new LineReader(stream, readMaxLength(operation, options, DEFAULT_MAX_LINE_LENGTH_BYTES));
  });
}

/**
 * Gives the messages of a connection a format. It reads nothing until a frame is asked for.
 *
 * A protocol may change its format in mid-stream: bytes that were read ahead stay with the connection, and the
 * next codec, or `recv`, begins behind the last frame. A decoder that fails for good ends the frames of this
 * call only: the connection stays open.
 *
 * Each call makes a decoder, and an encoder if the codec has one. A codec whose frames depend on those before them must
 * see all of them: keep its framed connection, and make no second one.
 *
 * @param connection The connection to send and receive frames on.
 * @param codec The format: {@linkcode lengthPrefixed}, {@linkcode lines} or another, or a codec of your own.
 * @returns The connection with frames, an async iterable of the received frames.
 * @throws {SocketError} `InvalidInput` for a value that is no connection or no codec.
 *
 * @example An echo of lines
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, connect, framed, lines, listen } from "jsr:@aivi/sockets";
 * import { recvFrame, sendFrame } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = framed(await connect(listener.address), lines());
 * await using server = framed(await accept(listener), lines());
 * await sendFrame(client, "hello");
 * for await (const line of server) {
 *   await sendFrame(server, line.toUpperCase());
 *   break;
 * }
 * assertEquals(await recvFrame(client), "HELLO");
 * ```
 */
export function framed<In, Out = In, A extends SocketAddress = Address>(
  connection: Connection<A>,
  codec: Codec<In, Out>,
): FramedConnection<In, Out, A>;
export function framed<In, Out>(
  connection: Connection<SocketAddress>,
  codec: Codec<In, Out>,
): FramedConnection<In, Out, SocketAddress> {
  const operation = "framed";
  if (!StreamConnection.is(connection)) throw notAConnection(operation);
  checkIsCodec(operation, codec);
  return readArguments(operation, () => new FramedStreamConnection(connection, codec));
}

/**
 * Receives the next frame.
 *
 * @param framed A connection with frames, from {@linkcode framed}.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns The frame, or `null` at the end of stream, again and again.
 *
 * Rejects as {@linkcode recv} does; with `UnexpectedEof` if the stream ends inside a frame; and with the errors
 * of the codec: `TooLarge`, and `InvalidData`, also for a codec that gives `null`. After `UnexpectedEof`, and
 * after an error that loses the beginning of the next frame, each later call and each iteration rejects with
 * the same error. A bad frame that the decoder has taken is reported once ({@linkcode Decoder} has the rules).
 * If a codec throws a value that is no `SocketError`, that is `Other`. A cancelled call loses nothing: the next
 * call gets the part of a frame that has come.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, connect, framed, lines, listen, recvFrame, send } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = await connect(listener.address);
 * await using server = framed(await accept(listener), lines());
 * await send(client, new TextEncoder().encode("half a"));
 * const early = recvFrame(server, { timeout: 10 }).catch((error) => error.kind);
 * assertEquals(await early, "TimedOut");
 * await send(client, new TextEncoder().encode(" line\n"));
 * assertEquals(await recvFrame(server), "half a line");
 * ```
 */
export function recvFrame<T>(
  framed: FramedConnection<unknown, T, SocketAddress>,
  options?: OperationOptions,
): Promise<T | null> {
  return FramedStreamConnection.is(framed)
    ? framed.recv(options) as Promise<T | null>
    : Promise.reject(notFramed("recvFrame"));
}

/**
 * Receives all frames that have come, at least one. One call for many small frames costs about a tenth of a call
 * for each.
 *
 * @param framed A connection with frames, from {@linkcode framed}.
 * @param options `maxFrames`, `signal`, and `timeout` in milliseconds.
 * @returns The frames in their order, from 1 to `maxFrames`, or `null` at the end of stream, again and again. Small
 * frames of one call may be views of one `ArrayBuffer`. It belongs to the caller alone, but to keep one frame keeps
 * up to 124 KiB, and to transfer one frame's `buffer` takes others away: copy (`slice`) a frame before that.
 *
 * Rejects as {@linkcode recvFrame} does. If an error comes after frames, this call gives the frames, and the next
 * call or iteration the error. A cancelled call loses nothing.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, closeWrite, connect, framed, lines, listen } from "jsr:@aivi/sockets";
 * import { recvFrames, sendFrames } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = framed(await connect(listener.address), lines());
 * await using server = framed(await accept(listener), lines());
 * await sendFrames(client, ["one", "two", "three"]);
 * await closeWrite(client.connection);
 *
 * const received: string[] = [];
 * for (let batch; (batch = await recvFrames(server)) !== null;) received.push(...batch);
 * assertEquals(received, ["one", "two", "three"]);
 * ```
 */
export function recvFrames<T>(
  framed: FramedConnection<unknown, T, SocketAddress>,
  options?: RecvFramesOptions,
): Promise<T[] | null> {
  return FramedStreamConnection.is(framed)
    ? framed.recvBatch(options) as Promise<T[] | null>
    : Promise.reject(notFramed("recvFrames"));
}

/**
 * Sends a frame whole, in the order of the calls, as {@linkcode send} sends bytes.
 *
 * @param framed A connection with frames, from {@linkcode framed}.
 * @param frame The frame. If it is bytes, they must stay unchanged until the call settles.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns Resolves after the operating system has taken the whole frame.
 *
 * Rejects as {@linkcode send} does, and a cancel leaves the same; and, before anything is sent, with the errors
 * of the codec: `InvalidInput` for a value that is no frame, `TooLarge`. If the codec has an `encoder`, a call that
 * is cancelled after it began aborts the connection ({@linkcode Codec} says why).
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { accept, connect, framed, listen, netstrings, recv, sendFrame } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = framed(await connect(listener.address), netstrings());
 * await using server = await accept(listener);
 * await sendFrame(client, new TextEncoder().encode("hello"));
 * assertEquals(await recv(server), new TextEncoder().encode("5:hello,"));
 * ```
 */
export function sendFrame<T>(
  framed: FramedConnection<T, unknown, SocketAddress>,
  frame: NoInfer<T>,
  options?: OperationOptions,
): Promise<void> {
  return FramedStreamConnection.is(framed)
    ? framed.send(frame, options)
    : Promise.reject(notFramed("sendFrame"));
}

/**
 * Sends frames as one send: all of them in their order, or none. Small frames are joined, so that many of them cost
 * one system call.
 *
 * @param framed A connection with frames, from {@linkcode framed}.
 * @param frames The frames: an array, or another iterable but a string, which is read to its end at once. Frames that
 * are bytes must stay unchanged until the call settles. No frames are an empty send.
 * @param options `signal`, and `timeout` in milliseconds.
 * @returns Resolves after the operating system has taken all the frames.
 *
 * Rejects as {@linkcode send} does, and a cancel leaves the same; and with the errors of the codec. If one frame cannot
 * be encoded, nothing is sent. If the codec has an `encoder`, a call that is cancelled after it began
 * aborts the connection, and so does a frame after the first that cannot be encoded.
 *
 * @example
 * ```ts
 * import { assertEquals, assertRejects } from "jsr:@std/assert";
 * import { accept, connect, framed, lines, listen, recv, sendFrames } from "jsr:@aivi/sockets";
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * await using client = framed(await connect(listener.address), lines());
 * await using server = await accept(listener);
 * await assertRejects(() => sendFrames(client, ["fine", "two\nlines"]));
 * await sendFrames(client, ["a", "b", "c"]);
 * assertEquals(await recv(server), new TextEncoder().encode("a\nb\nc\n"));
 * ```
 */
export function sendFrames<T>(
  framed: FramedConnection<T, unknown, SocketAddress>,
  frames: Iterable<NoInfer<T>>,
  options?: OperationOptions,
): Promise<void> {
  return FramedStreamConnection.is(framed)
    ? framed.sendBatch(frames, options)
    : Promise.reject(notFramed("sendFrames"));
}

/** Makes a reader of checked arguments, and receives with it. */
function receive<T>(
  operation: string,
  connection: Connection<SocketAddress>,
  options: OperationOptions | undefined,
  makeReader: (connection: StreamConnection) => StreamReader<T>,
): Promise<T | null> {
  try {
    if (!StreamConnection.is(connection)) throw notAConnection(operation);
    return connection.recvDecoded(operation, makeReader(connection), options);
  } catch (error) {
    return Promise.reject(error);
  }
}

function notFramed(operation: string): SocketError {
  return invalidInput(operation, "the first argument is not a FramedConnection of framed");
}
