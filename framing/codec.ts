import type { ByteQueue } from "../bytes/byte_queue.ts";

/**
 * The message format of a protocol: turns frames into bytes and bytes into frames. One codec serves any
 * number of connections; the state of one connection is in its {@linkcode Decoder}, and in its
 * {@linkcode Encoder} if it has one.
 *
 * `checkCodec` of `jsr:@aivi/sockets/testing` tests a codec.
 *
 * Most protocols have one type of frame. A client that sends requests and receives replies has two: its codec
 * is a `Codec<Request, Reply>`.
 *
 * @typeParam In The type of a frame to send.
 * @typeParam Out The type of a received frame. It cannot be `undefined`, `null` or a promise.
 *
 * @example A codec of your own: every frame is one byte, a number from 0 to 255
 * ```ts
 * import { type Codec, SocketError } from "jsr:@aivi/sockets";
 * import { checkCodec } from "jsr:@aivi/sockets/testing";
 *
 * const numbers: Codec<number> = {
 *   encode(frame) {
 *     if (frame > 255) throw new SocketError("TooLarge", "sendFrame", "numbers go up to 255");
 *     return new Uint8Array([frame]);
 *   },
 *   decoder: () => ({
 *     decode: (input) => input.length > 0 ? input.take(1)[0] : undefined,
 *   }),
 * };
 * checkCodec(numbers, new Uint8Array([1, 2, 3]), [1, 2, 3]);
 * ```
 */
export interface Codec<In, Out = In> extends Encoder<In> {
  /** Makes a decoder for one stream, which is at the beginning of a frame. */
  decoder(): Decoder<Out>;
  /**
   * Makes an encoder for one stream. Only a format whose frames depend on the frames before them needs it: compression
   * with a shared window, sequence numbers. Without it the codec itself encodes the frames of all connections.
   *
   * `framed` asks for it once, and calls it in the order of the sends. A frame that it has encoded must leave, since those
   * that follow depend on it. So `QueueFull` is decided before the frame is encoded, and a send that is cancelled aborts
   * the connection, even if it still waits. So does a `sendFrames` with a frame that cannot be encoded, unless it is the
   * first. The codec's own `encode` writes a frame as the first of a stream.
   */
  encoder?(): Encoder<In>;
}

/**
 * Writes the frames of one stream, or of all streams if the frames do not depend on one another.
 *
 * @typeParam In The type of a frame to send.
 */
export interface Encoder<In> {
  /**
   * Writes a frame.
   *
   * @param frame The frame to send.
   * @returns Its bytes, in pieces if that saves a copy. They may share memory with the frame, but not with
   * the codec.
   * @throws {SocketError} `InvalidInput` for a value that is no frame, `TooLarge` for a frame over the
   * limit, with the operation `sendFrame`.
   */
  encode(frame: In): Uint8Array | readonly Uint8Array[];
  /**
   * Writes a frame into memory that is there: a faster form of `encode`, which `sendFrame` and `sendFrames` call first.
   * Most codecs need none: it saves the 300 ns that an array of its own costs a frame.
   *
   * It writes the bytes that `encode` would give, and nothing before `offset`. It gives up if they do not fit, or if the
   * frame needs more care, such as an error: then `encode` is called.
   *
   * @param frame The frame to send.
   * @param target The memory, which belongs to others after the call.
   * @param offset Index of the first byte to write.
   * @returns Index behind the last byte that was written, or -1 if it gave up.
   */
  encodeInto?(frame: In, target: Uint8Array, offset: number): number;
}

/**
 * Finds the frames of one stream. It is called after more bytes have come, and again as long as it gives
 * frames. It goes on where it stopped, so that it need not scan the same bytes twice.
 *
 * If a decoder throws, the bytes that it took in that call say whether it can go on:
 *
 * - If it throws a `SocketError` and has taken bytes, they were the bad frame, and the next frame begins
 *   behind them. The next call of `recvFrame` calls the decoder again. `lines` works like this: it reports
 *   a line that is too long, and goes on with the next line.
 * - If it throws a `SocketError` and has taken nothing, the beginning of the next frame is lost. The decoder
 *   is not called again, and each later call rejects with the same error. `lengthPrefixed` works like this.
 * - If it throws `UnexpectedEof`, or a value that is no `SocketError`, each later call rejects with the same
 *   error, whatever was taken.
 *
 * A decoder that cannot go on should therefore check a header in place (`at`, `peek`) and take it only if it
 * is right. Otherwise the body that it refused would be read as the next header.
 *
 * @typeParam T The type of a frame. It cannot be `undefined`, `null` or a promise.
 *
 * @example A decoder that reports a bad frame and goes on with the next one
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { type Codec, lines, SocketError } from "jsr:@aivi/sockets";
 * import { accept, close, connect, framed, listen, recvFrame, send } from "jsr:@aivi/sockets";
 *
 * const numbers: Codec<number> = {
 *   encode: (frame) => lines().encode(String(frame)),
 *   decoder() {
 *     const inner = lines().decoder();
 *     return {
 *       decode(input) {
 *         const line = inner.decode(input);
 *         if (line === undefined) return undefined;
 *         // The line is taken: the next one begins here.
 *         if (!/^\d+$/.test(line)) throw new SocketError("InvalidData", "recvFrame", "no number");
 *         return Number(line);
 *       },
 *     };
 *   },
 * };
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const client = await connect(listener.address);
 * const server = framed(await accept(listener), numbers);
 * await send(client, new TextEncoder().encode("1\nx\n3\n"));
 * assertEquals(await recvFrame(server), 1);
 * assertEquals(await recvFrame(server).catch((error) => error.kind), "InvalidData");
 * assertEquals(await recvFrame(server), 3);
 * await Promise.all([close(client), close(server)]);
 * ```
 */
export interface Decoder<T> {
  /**
   * Takes the next frame out of the bytes that have come.
   *
   * @param input The bytes that have come and are not yet taken. The decoder must leave the bytes behind the
   * frame, since another codec may read them. It must not make a frame of views that `peek` gave. In a call of
   * `recvFrames` what `take` gives may be a view of a larger `ArrayBuffer`: `DataView` needs its `byteOffset`.
   * @returns The frame, or `undefined` if more bytes are needed. `null` means the end of stream, and is no
   * frame: `recvFrame` rejects with `InvalidData` instead of giving it.
   * @throws {SocketError} `TooLarge` for a frame over the limit, as soon as that is certain and before
   * waiting for its bytes; `InvalidData` for bytes that are no frame; with the operation `recvFrame`.
   */
  decode(input: ByteQueue): T | undefined;
  /**
   * Takes many frames at once: a faster form of `decode`, which `recvFrames` calls first. Most decoders need none.
   *
   * It must do what repeated calls of `decode` would do, and nothing else. It takes whole frames that lie in
   * `input.peekRun()`, and leaves everything else to `decode`, which is called next: a frame of which bytes are
   * missing, that is malformed, that is over a limit. Its time must be linear in the bytes that it takes.
   *
   * @param input The bytes that have come and are not yet taken.
   * @param frames The array to append frames to.
   * @param maxFrames Number of frames at which the array is full.
   */
  decodeAll?(input: ByteQueue, frames: T[], maxFrames: number): void;
  /**
   * Takes the last frame at the end of stream. It is called once, after `decode` has given all frames.
   * Bytes that are left in `input` afterwards are an incomplete frame: `UnexpectedEof`, also without this
   * function. A decoder that takes a part of a frame before the rest has come needs this function, to throw
   * `UnexpectedEof` itself.
   *
   * @param input The bytes after the last frame, often none.
   * @returns The last frame, if the end of stream completes one.
   * @throws {SocketError} `UnexpectedEof` if the decoder keeps a part of a frame; else as `decode`.
   */
  end?(input: ByteQueue): T | undefined;
}

/** Options of every codec of this package. */
export interface CodecOptions {
  /**
   * Maximum number of bytes in a frame, without its header or delimiter: a whole number, or `Infinity`. It
   * holds in both directions; for a received frame it is checked as soon as the length is known.
   *
   * @default {1048576}
   */
  maxLength?: number;
}
