import {
  type ByteQueue,
  type Codec,
  type Decoder,
  lengthPrefixed,
  SocketError,
  type SocketErrorKind,
} from "../../mod.ts";
import { encodeAll } from "./codec_streams.ts";
import { bytesOf } from "./text.ts";

export type Bytes = Uint8Array;

/** One byte of length, and that many bytes. */
export const RIGHT: Codec<Bytes> = lengthPrefixed({ bytes: 1 });
export const STREAM = encodeAll(
  RIGHT,
  bytesOf("one"),
  bytesOf(""),
  bytesOf("three"),
  bytesOf("seven"),
);

/** The right codec, but for what it decodes with. */
export function decoding(
  decode: () => Decoder<Bytes>["decode"],
  end?: Decoder<Bytes>["end"],
): Codec<Bytes> {
  return { encode: RIGHT.encode, decoder: () => ({ decode: decode(), end }) };
}

/** The same, where a frame that has come whole is given to `change` first. */
export function spoiling(change: (input: ByteQueue, length: number) => Bytes): Codec<Bytes> {
  return decoding(() => (input) => {
    if (input.length === 0 || input.length <= input.at(0)) return undefined;
    const length = input.at(0);
    input.skip(1);
    return change(input, length);
  });
}

export function fail(kind: SocketErrorKind): never {
  throw new SocketError(kind, "recvFrame", "no");
}
