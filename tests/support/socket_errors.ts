import { assertEquals, assertInstanceOf } from "@std/assert";
import { deadline } from "@std/async";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** Longer than anything here takes: what has not settled by then never will. */
const PATIENCE = 20_000;

/** The promise, or a failure where it does not settle. */
export function soon<T>(promise: Promise<T>): Promise<T> {
  return deadline(promise, PATIENCE);
}

/**
 * The error that a call rejects with, which must be a `SocketError` of this kind. A call that throws
 * synchronously fails the test, and so does one that gives no promise.
 */
export async function rejection(
  call: () => Promise<unknown>,
  kind: SocketErrorKind,
  operation: string,
  what = operation,
): Promise<SocketError> {
  let promise: Promise<unknown>;
  try {
    promise = call();
  } catch (error) {
    throw new Error(`${what} threw synchronously: ${named(error)}`, { cause: error });
  }
  assertInstanceOf(promise, Promise, `${what} gave no promise`);
  const error = await soon(promise.then(resolved, (error) => error));
  assertInstanceOf(error, SocketError, `${what} rejected with ${named(error)}`);
  assertEquals([error.kind, error.operation], [kind, operation], `${what}: ${error.message}`);
  return error;

  function resolved(): never {
    throw new Error(`${what} resolved, ${kind} was expected`);
  }
}

/** The error that a synchronous call throws, which must be a `SocketError` of this kind. */
export function thrown(
  call: () => unknown,
  kind: SocketErrorKind,
  operation: string,
  what = operation,
): SocketError {
  try {
    call();
  } catch (error) {
    assertInstanceOf(error, SocketError, `${what}: threw ${named(error)}`);
    assertEquals([error.kind, error.operation], [kind, operation], `${what}: ${error.message}`);
    return error;
  }
  throw new Error(`${what} returned, ${kind} was expected`);
}

/** A value that was thrown, in words; it may be anything. */
function named(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}
