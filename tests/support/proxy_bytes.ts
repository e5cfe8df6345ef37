import { concat } from "@std/bytes";
import {
  parseProxyHeader,
  type ParseProxyHeaderOptions,
} from "../../proxy_protocol/read_header.ts";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** Written out once more, so that the tests do not believe the code under test. */
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
  /** What the header says; what `rest` has where it is left out. */
  readonly length?: number;
}

/** A version 2 header, whatever it says. */
export function rawV2(raw: RawHeader, ...rest: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat(rest);
  const { command = 0x21, family = 0x11, length = body.length } = raw;
  const fixed = new Uint8Array([command, family, length >> 8, length & 0xff]);
  return concat([SIGNATURE, fixed, body]);
}

/** A field; its length is what `length` says, where that is given. */
export function rawTlv(
  type: number,
  value: Uint8Array | string,
  length?: number,
): Uint8Array<ArrayBuffer> {
  const bytes = typeof value === "string" ? ascii(value) : value;
  const said = length ?? bytes.length;
  return concat([new Uint8Array([type, said >> 8, said & 0xff]), bytes]);
}

/** One byte a character. */
export function ascii(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** What the parser says of the bytes: a header with its length, how many it needs, or an error. */
export type Verdict =
  | Exclude<ReturnType<typeof parseProxyHeader>, { atLeast: number }>
  | { readonly atLeast: number }
  | { readonly error: SocketError };

/** The parser's verdict; whatever it throws that is no `SocketError` is thrown on. */
export function verdict(bytes: Uint8Array, options?: ParseProxyHeaderOptions): Verdict {
  try {
    return parseProxyHeader(bytes, options);
  } catch (error) {
    if (error instanceof SocketError) return { error };
    throw error;
  }
}

/** The reason that the parser gives for refusing the bytes, which must be of this kind. */
export function refusal(
  bytes: Uint8Array,
  kind: SocketErrorKind = "InvalidData",
  options?: ParseProxyHeaderOptions,
): string {
  const said = verdict(bytes, options);
  if (!("error" in said)) throw new Error(`not refused, but ${JSON.stringify(said)}`);
  if (said.error.kind !== kind) throw said.error;
  const prefix = "recvProxyHeader: ";
  if (!said.error.message.startsWith(prefix)) throw said.error;
  return said.error.message.slice(prefix.length);
}
