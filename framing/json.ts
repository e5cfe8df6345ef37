import { ByteQueue } from "../bytes/byte_queue.ts";
import { invalidInput } from "../core/arguments.ts";
import { ignoreRejection } from "../core/waiting_calls.ts";
import { SocketError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import { checkIsCodec, invalidFrame, NULL_FRAME } from "./codec_support.ts";
import { lines } from "./lines.ts";
import { mapCodec } from "./map_codec.ts";

/** A value that JSON can express. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | JsonValue[]
  | { [key: string]: JsonValue };

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Makes a codec of JSON values: one a line, or in the frames of another codec.
 *
 * ```text
 * +----------------+----+---------------------+----+
 * | {"id":1}       | \n | {"id":2}            | \n |   json()
 * +----------------+----+---------------------+----+
 * ```
 *
 * @typeParam In The type of a value to send.
 * @typeParam Out The type of a received value. Nothing checks that the peer sends such values.
 * @param codec A codec of text, such as {@linkcode lines}, which is the default with its limit of 64 KiB; or
 * one of bytes, such as {@linkcode contentLength} or {@linkcode lengthPrefixed}, which get UTF-8. It is tried
 * with the values 0 and {} to see which of the two it is.
 * @returns The codec, with the errors of the inner one. It encodes with `InvalidInput` for a value that JSON
 * cannot express, or that becomes `null`. It decodes with `InvalidData` for what is no JSON or is `null`, and
 * goes on with the next frame.
 * @throws {SocketError} `InvalidInput` for a value that is no codec, and for a codec that takes no JSON: the frames of
 * {@linkcode lengthField} have a header of their own, for which {@linkcode lengthPrefixed} is the codec.
 *
 * @example
 * ```ts
 * import { assertEquals } from "jsr:@std/assert";
 * import { json, lengthPrefixed } from "jsr:@aivi/sockets";
 *
 * const encoded = json().encode({ sum: 42 });
 * assertEquals(encoded, new TextEncoder().encode('{"sum":42}\n'));
 *
 * const prefixed = json(lengthPrefixed({ bytes: 1 }));
 * assertEquals(prefixed.encode([7]), new TextEncoder().encode("\x03[7]"));
 * ```
 */
export function json<In = JsonValue, Out = In>(
  codec?: Codec<string> | Codec<Uint8Array>,
): Codec<In, Out> {
  const inner = codec === undefined ? lines() : codec;
  checkIsCodec("json", inner);
  if (takesText(inner)) {
    return mapCodec(inner, { encode: write<In>, decode: read<Out> });
  }
  checkTakesBytes(inner);
  return mapCodec(inner, {
    encode: (value: In) => encoder.encode(write(value)),
    decode: (bytes) => read<Out>(textOf(bytes)),
  });
}

/** Returns true if a codec gives a text back as text. A codec of bytes refuses it, or gives bytes. */
function takesText(codec: Codec<string> | Codec<Uint8Array>): codec is Codec<string> {
  try {
    const encoded = (codec as Codec<string>).encode("0");
    ignoreRejection(encoded);
    const input = new ByteQueue();
    for (const piece of [encoded].flat()) input.push(piece);
    const decoder = codec.decoder();
    return typeof (decoder.decode(input) ?? decoder.end?.(input)) === "string";
  } catch {
    return false;
  }
}

/** Throws `InvalidInput` if a codec refuses the bytes of a number and of an object: then it refuses all JSON. */
function checkTakesBytes(codec: Codec<Uint8Array>): void {
  let refusal: unknown;
  for (const text of ["0", "{}"]) {
    try {
      return ignoreRejection(codec.encode(encoder.encode(text)));
    } catch (error) {
      // A limit, or a mistake in the codec, is no answer: each send will report it.
      if (!(error instanceof SocketError) || error.kind !== "InvalidInput") return;
      refusal = error;
    }
  }
  const reason =
    "the codec refuses JSON, as lengthField() does, whose frames begin with a header of " +
    "their own: use one that adds its header, such as lengthPrefixed()";
  throw invalidInput("json", reason, refusal);
}

function write<In>(value: In): string {
  // JSON.stringify gives undefined for functions and symbols, and throws for cycles: mapCodec reports that.
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw invalidInput("sendFrame", "JSON cannot express the value");
  if (text === "null") throw invalidInput("sendFrame", "the value is null in JSON, and no frame");
  return text;
}

function read<Out>(text: string): Out {
  let value: Out;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalidFrame("the frame is not JSON", cause);
  }
  if (value === null) throw invalidFrame(NULL_FRAME);
  return value;
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw invalidFrame("the frame is not UTF-8", cause);
  }
}
