import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { type Address, formatAddress, type SocketError, type SocketErrorKind } from "../../mod.ts";
import { type OpenHandles, openHandles } from "./open_handles.ts";

/** The expected error of a failure. */
export interface Failure {
  readonly what: string;
  readonly kind: SocketErrorKind;
  readonly operation: string;
  readonly reason: string;
  readonly code?: string;
  /** The class of the runtime's error in `cause`. A failure of this package itself has none. */
  readonly cause?: new (message: string) => Error;
  readonly retryable?: boolean;
  /** Causes the failure, and returns the error and its expected address. */
  provoke(handles: OpenHandles): Promise<[address: Address | undefined, error: SocketError]>;
}

/** Registers a test for each failure, which causes it and checks every part of the error. */
export function testFailures(failures: readonly Failure[]): void {
  for (const failure of failures) {
    Deno.test(`E1, E2: ${failure.operation} is ${failure.kind} if ${failure.what}`, async () => {
      await using handles = await openHandles();
      check(failure, ...await failure.provoke(handles));
    });
  }
}

function check(failure: Failure, address: Address | undefined, error: SocketError): void {
  const { operation, reason, code, cause, retryable = false } = failure;
  const where = address === undefined ? "" : ` ${formatAddress(address)}`;
  const suffix = code === undefined ? "" : ` (${code})`;
  assertEquals(error.message, `${operation}${where}: ${reason}${suffix}`);
  assertEquals(error.address, address);
  assert(address === undefined || Object.isFrozen(error.address));
  assertEquals(error.code, code);
  assertEquals(error.name, "SocketError");
  assertEquals(error.retryable, retryable);
  assertEquals(error.permission, undefined);
  if (cause === undefined) assertStrictEquals(error.cause, undefined);
  else assertInstanceOf(error.cause, cause);
}
