import {
  type ByteQueue,
  type Codec,
  type Decoder,
  lengthPrefixed,
  lines,
  SocketError,
  type SocketErrorKind,
} from "../../mod.ts";
import { encodeAll } from "./codec_streams.ts";
import { bytesOf } from "./text.ts";

export type Bytes = Uint8Array;

/** A correct codec: one byte with the length, then the bytes. */
export const RIGHT: Codec<Bytes> = lengthPrefixed({ bytes: 1 });
export const STREAM = encodeAll(
  RIGHT,
  bytesOf("one"),
  bytesOf(""),
  bytesOf("three"),
  bytesOf("seven"),
);

/** Makes the correct codec with another `decode`. */
export function decoding(
  decode: () => Decoder<Bytes>["decode"],
  end?: Decoder<Bytes>["end"],
): Codec<Bytes> {
  return { encode: RIGHT.encode, decoder: () => ({ decode: decode(), end }) };
}

/** Makes the correct codec with another function that takes each whole frame from the input. */
export function spoiling(change: (input: ByteQueue, length: number) => Bytes): Codec<Bytes> {
  return decoding(() => (input) => {
    if (input.length === 0 || input.length <= input.at(0)) return undefined;
    const length = input.at(0);
    input.skip(1);
    return change(input, length);
  });
}

/** Makes the correct codec with another `end`. */
export function ending(end: Decoder<Bytes>["end"]): Codec<Bytes> {
  return decoding(() => {
    const decoder = RIGHT.decoder();
    return (input) => decoder.decode(input);
  }, end);
}

export function fail(kind: SocketErrorKind): never {
  throw new SocketError(kind, "recvFrame", "no");
}

/**
 * Makes the correct codec, but it takes a header before the rest has arrived. It calls `end` if the stream ends
 * there.
 */
export function eatingHeaders(end?: () => undefined): Codec<Bytes> {
  return {
    encode: RIGHT.encode,
    decoder() {
      let length: number | undefined;
      return {
        decode(input) {
          if (length === undefined) {
            if (input.length === 0) return undefined;
            length = input.take(1)[0];
          }
          if (input.length < length) return undefined;
          const frame = input.take(length);
          length = undefined;
          return frame;
        },
        end: () => length === undefined ? undefined : end?.(),
      };
    },
  };
}

/** Makes a codec with a digit on each line. It throws before or after it takes any other line. */
export function digits(
  throws: "before" | "after",
  error: () => unknown = () => new SocketError("InvalidData", "recvFrame", "no digit"),
): Codec<number> {
  return {
    encode: (digit) => bytesOf(`${digit}\n`),
    decoder: () => ({
      decode(input) {
        if (input.length < 2) return undefined;
        const digit = input.at(0) - 48;
        const right = digit >= 0 && digit <= 9;
        if (right || throws === "after") input.skip(2);
        if (right) return digit;
        throw error();
      },
    }),
  };
}

/** Makes a codec for lines of JSON that forgets the special meaning of `null`. */
export function jsonLines(): Codec<unknown> {
  return {
    encode: (value) => bytesOf(`${JSON.stringify(value)}\n`),
    decoder() {
      const inner = lines().decoder();
      return {
        decode(input) {
          const line = inner.decode(input);
          return line === undefined ? undefined : JSON.parse(line);
        },
      };
    },
  };
}
