import type { LengthFieldOptions, LengthPrefixedOptions } from "../../mod.ts";
import type { Decoded, Result } from "../support/codec_streams.ts";

/*
 * Reference decoders, which decode a whole stream at once. They follow the wording of the specifications, with an array
 * and loops and no care for speed. They share no code with the codecs.
 */

/** The result at a position of the stream with its size, or the reason why the rest is no frame. */
type Step<T> =
  | { readonly frame: T; readonly size: number }
  | { readonly kind: "TooLarge" | "InvalidData"; readonly size?: number }
  | "incomplete";

/** Decodes a stream step by step. It stops at an error without a size, because the next frame cannot be found. */
function walk<T>(stream: Uint8Array, step: (rest: Uint8Array) => Step<T>): Decoded<T> {
  const results: Result<T>[] = [];
  for (let at = 0;;) {
    const rest = stream.subarray(at);
    if (rest.length === 0) return { results, left: rest };
    const next = step(rest);
    if (next === "incomplete") return { results, left: rest };
    if ("frame" in next) results.push({ frame: next.frame });
    else results.push({ kind: next.kind });
    if (next.size === undefined) return { results, left: rest };
    at += next.size;
  }
}

export function lengthPrefixedReference(
  options: LengthPrefixedOptions,
  maxLength: number,
): (stream: Uint8Array) => Decoded<Uint8Array> {
  const { bytes = 4, endian = "big", lengthIncludesPrefix = false } = options;
  const limit = BigInt(maxLength);
  return (stream) =>
    walk<Uint8Array>(stream, (rest) => {
      if (rest.length < bytes) return "incomplete";
      const prefix = [...rest.subarray(0, bytes)];
      if (endian === "little") prefix.reverse();
      const said = BigInt(`0x${prefix.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`);
      const length = said - (lengthIncludesPrefix ? BigInt(bytes) : 0n);
      if (length < 0n) return { kind: "InvalidData" };
      if (length > limit) return { kind: "TooLarge" };
      const size = bytes + Number(length);
      return rest.length < size ? "incomplete" : { frame: rest.slice(bytes, size), size };
    });
}

export function lengthFieldReference(
  options: LengthFieldOptions,
): (stream: Uint8Array) => Decoded<Uint8Array> {
  const { offset = 0, bytes = 4, endian = "big", adjust = 0, maxLength = 2 ** 20 } = options;
  return (stream) =>
    walk<Uint8Array>(stream, (rest) => {
      const field = [...rest.subarray(offset, offset + bytes)];
      if (field.length < bytes) return "incomplete";
      if (endian === "little") field.reverse();
      const value = BigInt(`0x${field.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`);
      const size = BigInt(offset + bytes + adjust) + value;
      if (maxLength !== Infinity && size > BigInt(maxLength)) return { kind: "TooLarge" };
      if (size < BigInt(offset + bytes)) return { kind: "InvalidData" };
      if (size > BigInt(rest.length)) return "incomplete";
      return { frame: rest.slice(0, Number(size)), size: Number(size) };
    });
}

export function varintReference(maxLength: number): (stream: Uint8Array) => Decoded<Uint8Array> {
  return (stream) =>
    walk<Uint8Array>(stream, (rest) => {
      const last = rest.findIndex((byte) => byte < 128);
      // 53 bits are seven bytes of seven bits, and four bits of the eighth.
      if (rest.length >= 8 && (last < 0 || last >= 7) && rest[7] > 15) {
        return { kind: "InvalidData" };
      }
      if (last < 0) return "incomplete";
      if (last > 0 && rest[last] === 0) return { kind: "InvalidData" };
      const length = rest.subarray(0, last + 1)
        .reduceRight((value, byte) => value * 128n + BigInt(byte & 127), 0n);
      if (length > BigInt(maxLength)) return { kind: "TooLarge" };
      const size = last + 1 + Number(length);
      return rest.length < size ? "incomplete" : { frame: rest.slice(last + 1, size), size };
    });
}

export function netstringReference(
  maxLength: number,
): (stream: Uint8Array) => Decoded<Uint8Array> {
  return (stream) =>
    walk<Uint8Array>(stream, (rest) => {
      const text = String.fromCharCode(...rest.subarray(0, 40));
      const [digits] = /^[0-9]*/.exec(text)!;
      // The first digit over the maximum decides, whatever follows it.
      for (let count = 1; count <= digits.length; count++) {
        if (count > 1 && digits[0] === "0") return { kind: "InvalidData" };
        if (BigInt(digits.slice(0, count)) > BigInt(maxLength)) return { kind: "TooLarge" };
      }
      if (digits.length === text.length) return "incomplete";
      if (digits === "" || text[digits.length] !== ":") return { kind: "InvalidData" };
      const start = digits.length + 1;
      const end = start + Number(digits);
      if (rest.length <= end) return "incomplete";
      if (rest[end] !== 0x2c) return { kind: "InvalidData" };
      return { frame: rest.slice(start, end), size: end + 1 };
    });
}

export function delimitedReference(
  delimiter: Uint8Array,
  maxLength: number,
): (stream: Uint8Array) => Decoded<Uint8Array> {
  const wanted = String.fromCharCode(...delimiter);
  return (stream) =>
    walk<Uint8Array>(stream, (rest) => {
      const text = String.fromCharCode(...rest);
      const end = text.indexOf(wanted);
      if (end < 0) {
        // Bytes that may be the beginning of the delimiter are not yet a part of the frame.
        let begun = Math.min(wanted.length - 1, text.length);
        while (!text.endsWith(wanted.slice(0, begun))) begun--;
        const certain = text.length - begun;
        return certain > maxLength ? { kind: "TooLarge", size: rest.length } : "incomplete";
      }
      const size = end + delimiter.length;
      if (end > maxLength) return { kind: "TooLarge", size };
      return { frame: rest.slice(0, end), size };
    });
}

export function linesReference(maxLength: number): (stream: Uint8Array) => Decoded<string> {
  return (stream) =>
    walk<string>(stream, (rest) => {
      const feed = rest.indexOf(10);
      const size = feed < 0 ? rest.length : feed + 1;
      let end = feed < 0 ? rest.length : feed;
      if (end > 0 && rest[end - 1] === 13) end--;
      if (end > maxLength) return { kind: "TooLarge", size };
      try {
        const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
        return { frame: decoder.decode(rest.subarray(0, end)), size };
      } catch {
        return { kind: "InvalidData", size };
      }
    });
}

export function strictLinesReference(maxLength: number): (stream: Uint8Array) => Decoded<string> {
  const inner = delimitedReference(new Uint8Array([13, 10]), maxLength);
  return (stream) => {
    const { results, left } = inner(stream);
    return { results: results.map(toLine), left };
  };
}

function toLine(result: Result<Uint8Array>): Result<string> {
  if ("kind" in result) return result;
  try {
    const frame = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(result.frame);
    return /[\r\n]/.test(frame) ? { kind: "InvalidData" } : { frame };
  } catch {
    return { kind: "InvalidData" };
  }
}

/** Decodes by the Language Server Protocol 3.17, "Base Protocol", with the limit of 8 KiB for a header block. */
export function contentLengthReference(
  maxLength: number,
): (stream: Uint8Array) => Decoded<Uint8Array> {
  return (stream) =>
    walk<Uint8Array>(stream, (rest) => {
      const text = String.fromCharCode(...rest);
      const [block, ...others] = text.split("\r\n\r\n");
      const start = block.length + 4;
      if (others.length === 0) return text.length < 8192 ? "incomplete" : { kind: "TooLarge" };
      if (start > 8192) return { kind: "TooLarge" };
      const lengths: string[] = [];
      for (const line of block.split("\r\n")) {
        const colon = line.indexOf(":");
        const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
        const value = line.slice(colon + 1);
        if (name === "" || [...name].some((character) => !TOKEN.includes(character))) {
          return { kind: "InvalidData" };
        }
        if ([...value].some((c) => c !== "\t" && (c < " " || c > "~"))) {
          return { kind: "InvalidData" };
        }
        if (name === "content-length") lengths.push(value.replace(/^[ \t]+|[ \t]+$/g, ""));
      }
      const [length] = lengths;
      if (lengths.length !== 1 || length === "") return { kind: "InvalidData" };
      if ([...length].some((digit) => digit < "0" || digit > "9")) return { kind: "InvalidData" };
      if (BigInt(length) > BigInt(maxLength)) return { kind: "TooLarge" };
      const size = start + Number(length);
      return rest.length < size ? "incomplete" : { frame: rest.slice(start, size), size };
    });
}

/** The characters of a token in RFC 9110, section 5.6.2, in lower case. */
const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";

/** Decodes by the grammar of RFC 6587, section 3.4.1. */
export function octetCountedReference(
  maxLength: number,
): (stream: Uint8Array) => Decoded<Uint8Array> {
  return (stream) =>
    walk<Uint8Array>(stream, (rest) => {
      let digits = "";
      for (const byte of rest) {
        const character = String.fromCharCode(byte);
        if (character === " " && digits !== "") {
          const start = digits.length + 1;
          const size = start + Number(digits);
          return rest.length < size ? "incomplete" : { frame: rest.slice(start, size), size };
        }
        if (!"0123456789".includes(character)) return { kind: "InvalidData" };
        digits += character;
        if (digits === "0") return { kind: "InvalidData" };
        if (BigInt(digits) > BigInt(maxLength)) return { kind: "TooLarge" };
      }
      return "incomplete";
    });
}
