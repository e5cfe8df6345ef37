import { SocketError, type SocketErrorKind } from "../../../mod.ts";

/** The fields of a `SocketError` as JSON. */
export interface Failure {
  readonly kind: SocketErrorKind;
  readonly operation: string;
  readonly code?: string;
  readonly retryable: boolean;
  readonly bytesSent?: number;
  readonly message: string;
}

/** Describes a rejection of a public function. Anything but a `SocketError` fails the test. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof SocketError)) throw error;
  const { kind, operation, code, retryable, bytesSent, message } = error;
  return { kind, operation, code, retryable, bytesSent, message };
}

/** Returns the result of a call, or its failure. */
export async function outcomeOf<T>(call: Promise<T>): Promise<T | Failure> {
  try {
    return await call;
  } catch (error) {
    return failureOf(error);
  }
}
