import { assertEquals, assertInstanceOf } from "@std/assert";
import { deadline } from "@std/async";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** A promise that has not settled by then never will (ms). */
const PATIENCE = 20_000;

/** Awaits a promise, and fails if it does not settle. */
export function soon<T>(promise: Promise<T>): Promise<T> {
  return deadline(promise, PATIENCE);
}

/**
 * Returns the error of a call, which must reject with a `SocketError` of this kind. A call that throws synchronously,
 * or that returns no promise, fails the test.
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
  assertInstanceOf(promise, Promise, `${what} returned no promise`);
  const error = await soon(promise.then(resolved, (error) => error));
  assertInstanceOf(error, SocketError, `${what} rejected with ${named(error)}`);
  assertEquals([error.kind, error.operation], [kind, operation], `${what}: ${error.message}`);
  return error;

  function resolved(): never {
    throw new Error(`${what} resolved, but ${kind} was expected`);
  }
}

/** Returns the error of a synchronous call, which must throw a `SocketError` of this kind. */
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
  throw new Error(`${what} returned, but ${kind} was expected`);
}

/** Describes a thrown value of any type. */
function named(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}
