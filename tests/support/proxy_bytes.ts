import { concat } from "@std/bytes";
import { type ParsedProxyHeader, parseProxyHeader } from "../../proxy_protocol/read_header.ts";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** Written out again, so that the tests do not depend on the code under test. */
export const SIGNATURE = Uint8Array.fromHex("0d0a0d0a000d0a515549540a");

/** 192.0.2.1:56324 to 192.0.2.2:443. */
export const IPV4_ADDRESSES = Uint8Array.fromHex("c0000201c0000202dc0401bb");
/** [2001:db8::1]:56324 to [2001:db8::2]:443. */
export const IPV6_ADDRESSES = Uint8Array.fromHex(
  "20010db8000000000000000000000001" + "20010db8000000000000000000000002" + "dc0401bb",
);

export interface RawHeader {
  /** Version and command. */
  readonly command?: number;
  readonly family?: number;
  /** Value of the length field; the length of `rest` by default. */
  readonly length?: number;
}

/** Makes a version 2 header, valid or not. */
export function rawV2(raw: RawHeader, ...rest: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat(rest);
  const { command = 0x21, family = 0x11, length = body.length } = raw;
  const fixed = new Uint8Array([command, family, length >> 8, length & 0xff]);
  return concat([SIGNATURE, fixed, body]);
}

/** Makes a field; `length` replaces the value of its length field. */
export function rawTlv(
  type: number,
  value: Uint8Array | string,
  length?: number,
): Uint8Array<ArrayBuffer> {
  const bytes = typeof value === "string" ? ascii(value) : value;
  const claimed = length ?? bytes.length;
  return concat([new Uint8Array([type, claimed >> 8, claimed & 0xff]), bytes]);
}

/** Writes one byte for each character. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Outcome of the parser: a header with its length, the number of bytes it needs, or an error. */
export type Verdict = ParsedProxyHeader | { readonly error: SocketError };

/** Runs the parser; anything that it throws must be a `SocketError`. */
export function verdict(bytes: Uint8Array, maxLength?: number): Verdict {
  try {
    return parseProxyHeader(bytes, maxLength);
  } catch (error) {
    if (error instanceof SocketError) return { error };
    throw error;
  }
}

/** Gives the reason for which the parser refuses the bytes; the error must be of this kind. */
export function refusal(
  bytes: Uint8Array,
  kind: SocketErrorKind = "InvalidData",
  maxLength?: number,
): string {
  const outcome = verdict(bytes, maxLength);
  if (!("error" in outcome)) throw new Error(`not refused, but ${JSON.stringify(outcome)}`);
  const { error } = outcome;
  const prefix = "recvProxyHeader: ";
  if (error.kind !== kind || !error.message.startsWith(prefix)) throw error;
  return error.message.slice(prefix.length);
}
