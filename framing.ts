/**
 * Messages in a stream of bytes: codecs that find the frames in what comes, whatever the chunks it
 * comes in, with a limit each.
 *
 * ```ts
 * import { ByteQueue, lengthPrefixed } from "jsr:@aivi/sockets";
 *
 * const codec = lengthPrefixed({ bytes: 2, maxLength: 1024 });
 * const encoded = codec.encode(new TextEncoder().encode("hello")) as Uint8Array;
 *
 * const input = new ByteQueue();
 * const decoder = codec.decoder();
 * input.push(encoded.subarray(0, 3));
 * console.log(decoder.decode(input)); // undefined: more has to come
 * input.push(encoded.subarray(3));
 * console.log(new TextDecoder().decode(decoder.decode(input))); // hello
 * ```
 *
 * @module
 */

export { ByteQueue } from "./_internal/byte_queue.ts";
export { checkCodec } from "./_internal/check_codec.ts";
export type { Codec, CodecOptions, Decoder } from "./_internal/codec.ts";
export { delimited } from "./_internal/delimited.ts";
export { lengthPrefixed, type LengthPrefixedOptions } from "./_internal/length_prefixed.ts";
export { lines, type LinesOptions } from "./_internal/lines.ts";
export { netstrings } from "./_internal/netstrings.ts";
export { varintPrefixed } from "./_internal/varint_prefixed.ts";
