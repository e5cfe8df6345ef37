import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { type Address, formatAddress, type SocketError, type SocketErrorKind } from "../../mod.ts";
import { type OpenHandles, openHandles } from "./open_handles.ts";

/** What a failure must look like from outside. */
export interface Failure {
  readonly what: string;
  readonly kind: SocketErrorKind;
  readonly operation: string;
  readonly reason: string;
  readonly code?: string;
  /** The class of the runtime's own error; without one, the failure is this package's own. */
  readonly cause?: new (message: string) => Error;
  readonly retryable?: boolean;
  /** Makes it happen, and gives the address that it is about. */
  provoke(handles: OpenHandles): Promise<[address: Address | undefined, error: SocketError]>;
}

/** Makes each of them happen for real, and looks at every part of the error. */
export function testFailures(failures: readonly Failure[]): void {
  for (const failure of failures) {
    Deno.test(`E1, E2: ${failure.operation} says ${failure.kind} where ${failure.what}`, async () => {
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
