import { assert } from "@std/assert";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** The length of the longest message. It quotes at most 80 characters twice, and escapes an invisible one as six. */
const LONGEST_MESSAGE = 1100;

/** Returns the result of a call, or its error, which must be a `SocketError` of one of these kinds. */
export type Outcome<T> = { readonly value: T } | { readonly error: SocketError };

export function outcomeOf<T>(
  call: () => T,
  operation: string,
  ...kinds: readonly SocketErrorKind[]
): Outcome<T> {
  try {
    return { value: call() };
  } catch (error) {
    return { error: expected(error, operation, kinds) };
  }
}

/** Checks that an error is allowed, and returns it. */
export function expected(
  error: unknown,
  operation: string,
  kinds: readonly SocketErrorKind[],
): SocketError {
  if (!(error instanceof SocketError)) {
    throw new Error(`${operation} threw an error that is no SocketError: ${error}`, {
      cause: error,
    });
  }
  assert(kinds.includes(error.kind), `${operation} threw ${error.kind}: ${error.message}`);
  assert(error.operation === operation, `${error.operation} instead of ${operation}`);
  assert(error.message.length <= LONGEST_MESSAGE, `a message of ${error.message.length}`);
  assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(error.message), "control characters in a message");
  return error;
}

/** Describes an error by words that do not depend on the input, so that new outcomes can be recognised. */
export function sortOf({ kind, message }: SocketError): string {
  const words = message.replaceAll(/"(?:[^"\\]|\\.)*"/g, "…")
    .replaceAll(/0x[0-9a-f]+/g, "#").replaceAll(/-?[0-9.]+/g, "#");
  return `${kind}: ${words.slice(0, 120)}`;
}

/** Decodes any bytes as text: as UTF-16 after its byte order mark, else as UTF-8, else one character for each byte. */
export function textOf(input: Uint8Array): string {
  if (input[0] === 0xff && input[1] === 0xfe) {
    const units = new Uint16Array(input.slice(2, input.length - input.length % 2).buffer);
    return String.fromCharCode(...units);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(input);
  } catch {
    return String.fromCharCode(...input);
  }
}

export function utf8(...texts: readonly string[]): Uint8Array<ArrayBuffer>[] {
  return texts.map((text) => new TextEncoder().encode(text));
}

/** Returns a number that depends only on the bytes, so that a case always has the same random choices. */
export function hashOf(input: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
