import { assert } from "@std/assert";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** A message quotes at most 80 characters, twice at most, each written as six where it is not seen. */
const LONGEST_MESSAGE = 1100;

/** What a call gave, or the error that it threw, which must be a `SocketError` of one of these kinds. */
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

/** An error that may come, or a failure where it may not. */
export function expected(
  error: unknown,
  operation: string,
  kinds: readonly SocketErrorKind[],
): SocketError {
  if (!(error instanceof SocketError)) {
    throw new Error(`${operation} threw what is no SocketError: ${error}`, { cause: error });
  }
  assert(kinds.includes(error.kind), `${operation} threw ${error.kind}: ${error.message}`);
  assert(error.operation === operation, `${error.operation} instead of ${operation}`);
  assert(error.message.length <= LONGEST_MESSAGE, `a message of ${error.message.length}`);
  assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(error.message), "control characters in a message");
  return error;
}

/** The error in words that do not change with every input: what a new outcome is known by. */
export function sortOf({ kind, message }: SocketError): string {
  const words = message.replaceAll(/"(?:[^"\\]|\\.)*"/g, "…")
    .replaceAll(/0x[0-9a-f]+/g, "#").replaceAll(/-?[0-9.]+/g, "#");
  return `${kind}: ${words.slice(0, 120)}`;
}

/** Characters from anywhere: UTF-16 after its byte order mark, else UTF-8, else one for each byte. */
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

/** The same bytes always give the same number: what is random about a case is random once. */
export function hashOf(input: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
