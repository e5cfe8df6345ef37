import type { ByteQueue } from "../bytes/byte_queue.ts";
import { describe, invalidInput, quoteMessage, readArguments } from "../core/arguments.ts";
import { isIgnoredPromise } from "../core/waiting_calls.ts";
import { SocketError } from "../errors.ts";
import type { Codec, Decoder } from "./codec.ts";
import { checkIsCodec, invalidFrame } from "./codec_support.ts";

/**
 * The two directions of {@linkcode mapCodec}.
 *
 * @typeParam In The type of a frame to send.
 * @typeParam Out The type of a received frame.
 * @typeParam InnerIn The type of a frame that the inner codec sends.
 * @typeParam InnerOut The type of a frame that the inner codec receives.
 */
export interface FrameMapping<In, Out, InnerIn, InnerOut = InnerIn> {
  /**
   * Makes a frame of the inner codec.
   *
   * @param frame The frame to send.
   * @returns The inner codec's frame.
   */
  encode(frame: In): InnerIn;
  /**
   * Makes a frame from one of the inner codec.
   *
   * @param frame The inner codec's frame, whose bytes it may keep.
   * @returns The frame, which cannot be `undefined`, `null` or a promise.
   */
  decode(frame: InnerOut): Out;
}

/**
 * Makes a codec of another one and two functions: the inner codec finds the frames, and the functions give
 * them their meaning.
 *
 * @param codec The inner codec, such as {@linkcode lengthPrefixed} or {@linkcode lines}.
 * @param mapping `encode` from your frames to the inner codec's, and `decode` back.
 * @returns The codec, with the errors of the inner one. If `encode` throws, the frame cannot be sent:
 * `InvalidInput`. If `decode` throws, the frame that came is `InvalidData`, once: the next call of `recvFrame`
 * goes on with the next frame. The message of what was thrown is in the reason, shortened to 80 characters, and the
 * error itself in `cause`; a `SocketError` stays as it is.
 * @throws {SocketError} `InvalidInput` for a value that is no codec, or without both functions.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { lines, mapCodec } from "jsr:@aivi/sockets";
 * import { checkCodec } from "jsr:@aivi/sockets/testing";
 *
 * const dates = mapCodec(lines(), {
 *   encode: (date: Date) => date.toISOString(),
 *   decode: (line) => new Date(line),
 * });
 * const stream = new TextEncoder().encode("2026-11-26T00:00:00.000Z\n");
 * assertEquals(dates.encode(new Date(Date.UTC(2026, 10, 26))), stream);
 * checkCodec(dates, stream, [new Date(Date.UTC(2026, 10, 26))]);
 * ```
 */
export function mapCodec<In, Out, InnerIn, InnerOut = InnerIn>(
  codec: Codec<InnerIn, InnerOut>,
  mapping: FrameMapping<In, Out, InnerIn, InnerOut>,
): Codec<In, Out> {
  const operation = "mapCodec";
  checkIsCodec(operation, codec);
  readArguments(operation, () => {
    if (typeof mapping?.encode === "function" && typeof mapping.decode === "function") return;
    const what = describe(mapping);
    throw invalidInput(operation, `the mapping is ${what}, without encode and decode functions`);
  });
  return {
    encode: (frame) => codec.encode(encodeMapped(mapping, frame)),
    decoder: () => new MappedDecoder(codec.decoder(), mapping),
  };
}

/** Decodes with the inner decoder, which has taken a frame's bytes before its mapping can fail. */
class MappedDecoder<Out, InnerOut> implements Decoder<Out> {
  readonly #inner: Decoder<InnerOut>;
  readonly #mapping: Pick<FrameMapping<never, Out, unknown, InnerOut>, "decode">;

  constructor(
    inner: Decoder<InnerOut>,
    mapping: Pick<FrameMapping<never, Out, unknown, InnerOut>, "decode">,
  ) {
    this.#inner = inner;
    this.#mapping = mapping;
  }

  decode(input: ByteQueue): Out | undefined {
    return this.#map(this.#inner.decode(input));
  }

  end(input: ByteQueue): Out | undefined {
    return this.#map(this.#inner.end?.(input));
  }

  #map(frame: InnerOut | undefined): Out | undefined {
    if (frame === undefined) return undefined;
    let mapped: Out;
    try {
      mapped = this.#mapping.decode(frame);
    } catch (error) {
      if (error instanceof SocketError) throw error;
      throw invalidFrame(`the frame has no meaning${quoteMessage(error)}`, error);
    }
    // The frame is taken: undefined would lose it without a word.
    if (mapped === undefined) throw invalidFrame("decode of mapCodec gave undefined");
    return mapped;
  }
}

function encodeMapped<In, InnerIn>(
  mapping: Pick<FrameMapping<In, unknown, InnerIn, never>, "encode">,
  frame: In,
): InnerIn {
  let mapped: InnerIn;
  try {
    mapped = mapping.encode(frame);
  } catch (error) {
    if (error instanceof SocketError) throw error;
    const reason = `the frame cannot be encoded${quoteMessage(error)}`;
    throw invalidInput("sendFrame", reason, error);
  }
  if (!isIgnoredPromise(mapped)) return mapped;
  throw invalidInput("sendFrame", "encode of mapCodec gave a promise");
}
