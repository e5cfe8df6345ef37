import { SocketError, type SocketErrorKind } from "../../../mod.ts";

/** A `SocketError` as a program tells it. */
export interface Failure {
  readonly kind: SocketErrorKind;
  readonly operation: string;
  readonly code?: string;
  readonly retryable: boolean;
  readonly bytesSent?: number;
  readonly message: string;
}

/** What a public function rejected with. Anything but a `SocketError` is a failure of the test itself. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof SocketError)) throw error;
  const { kind, operation, code, retryable, bytesSent, message } = error;
  return { kind, operation, code, retryable, bytesSent, message };
}

/** How a call went: what it gave, or how it failed. */
export async function outcomeOf<T>(call: Promise<T>): Promise<T | Failure> {
  try {
    return await call;
  } catch (error) {
    return failureOf(error);
  }
}
