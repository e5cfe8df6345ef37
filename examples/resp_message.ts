/**
 * The messages of RESP 2, the protocol of Redis, and the strings that they are made of.
 *
 * Strings are byte strings, one character from U+0000 to U+00FF for each byte: they hold any bytes, are good
 * keys of a map, and cost 60 ns; bytes in an array of their own cost 250 ns.
 */
import { Buffer } from "node:buffer";
import { type ByteQueue, SocketError } from "../mod.ts";

/** A command and its arguments; at least one. */
export type Request = readonly string[];

/** The answer "there is none". Not `null`, which is the end of stream. */
export const NIL: unique symbol = Symbol("nil");

/** A string, an integer of 64 bits, a status such as `OK`, an error, nothing, or a list of them. */
export type Reply =
  | string
  | number
  | bigint
  | { readonly status: string }
  | { readonly error: string }
  | typeof NIL
  | readonly Reply[];

/** Length from which one call, of 90 ns, is faster; 8 characters at a time take 20 ns. */
const LONG = 32;
const encoder = new TextEncoder();

/** Returns the bytes of a byte string. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  // This makes the same bytes of ASCII in half the time. Other characters are longer in UTF-8.
  if (encoder.encodeInto(text, bytes).read === text.length) return bytes;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 255) {
      const reason = "a byte string has a character above U+00FF";
      throw new SocketError("InvalidInput", "sendFrame", reason);
    }
    bytes[index] = code;
  }
  return bytes;
}

/** Returns the byte string of the bytes that wait from `from` on. */
export function textAt(input: ByteQueue, from: number, length: number): string {
  if (length > LONG) {
    const { buffer, byteOffset } = input.peek(length, from);
    return Buffer.from(buffer, byteOffset, length).toString("latin1");
  }
  let text = "";
  let at = from;
  for (const last = from + length - 8; at <= last; at += 8) {
    text += String.fromCharCode(
      input.at(at),
      input.at(at + 1),
      input.at(at + 2),
      input.at(at + 3),
      input.at(at + 4),
      input.at(at + 5),
      input.at(at + 6),
      input.at(at + 7),
    );
  }
  for (; at < from + length; at++) text += String.fromCharCode(input.at(at));
  return text;
}

/** Returns the byte string of a text in UTF-8. */
export function fromUtf8(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** Returns the text that a byte string is in UTF-8. */
export function toUtf8(bytes: string): string {
  return Buffer.from(bytes, "latin1").toString();
}
