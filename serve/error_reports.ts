import { formatAddress } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { Address, Connection } from "../types.ts";

/** Whom a server tells of failures. */
export type OnError = (error: unknown, connection?: Connection) => void;

/** What is told. */
export interface ServerFailure {
  readonly error: unknown;
  readonly connection?: Connection;
  /** What may be said in public, where the error is the server's own. */
  readonly said?: string;
}

/**
 * Tells of failures, and outlives whoever is told: nothing that `onError` does ends the server.
 *
 * A line on standard error has nothing of what was received or is to be sent. An error may quote it, even
 * one of this package where a codec threw it, so only its kind is written, or the name of its class.
 */
export class ErrorReports {
  readonly #address: Address;
  readonly #onError: OnError | undefined;

  constructor(address: Address, onError: OnError | undefined) {
    this.#address = address;
    this.#onError = onError;
  }

  tell({ error, connection, said }: ServerFailure): void {
    if (this.#onError === undefined) {
      this.#write(said ?? `the handler failed with ${summary(error)}`, connection);
      return;
    }
    try {
      const told: unknown = this.#onError(error, connection);
      if (typeof told === "object" && told !== null) {
        Promise.resolve(told).catch((mistake) => this.#mistaken(mistake, connection));
      }
    } catch (mistake) {
      this.#mistaken(mistake, connection);
    }
  }

  #mistaken(mistake: unknown, connection: Connection | undefined): void {
    this.#write(`onError failed with ${summary(mistake)}`, connection);
  }

  #write(what: string, connection: Connection | undefined): void {
    const who = connection === undefined ? "" : ` ${formatAddress(connection.remoteAddress)}:`;
    console.error(`serve ${formatAddress(this.#address)}:${who} ${what}`);
  }
}

/** An error of this package, whatever was thrown: a proxy may throw when it is asked what it is. */
export function asSocketError(error: unknown): SocketError | undefined {
  try {
    return error instanceof SocketError ? error : undefined;
  } catch {
    return undefined;
  }
}

function summary(error: unknown): string {
  const own = asSocketError(error);
  if (own === undefined) return className(error);
  const { kind, operation, code } = own;
  return `${kind} of ${operation}${code === undefined ? "" : ` (${code})`}`;
}

function className(error: unknown): string {
  if (typeof error !== "object" || error === null) return `a thrown ${typeof error}`;
  try {
    const { name } = error.constructor;
    return /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : "an object";
  } catch {
    return "an object";
  }
}
