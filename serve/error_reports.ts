import { describeAddress, isNamed } from "../core/address_check.ts";
import { describeThrown } from "../core/error_mapping.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { ServeOptions, SocketAddress } from "../types.ts";

/** A failure to report. */
export interface ServerFailure {
  readonly error: unknown;
  readonly connection?: StreamConnection;
  /** Text for standard error, which quotes nothing; it is made from the error if it is missing. */
  readonly line?: string;
}

/**
 * Reports failures to `onError`, or in lines on standard error. Nothing that `onError` does ends the server.
 *
 * An error of the program's own is written with its message and stack, or nobody could find the mistake. Of an error of
 * this package a line has the kind only: its message may quote what was received, if a codec threw it.
 */
export class ErrorReports {
  readonly #address: SocketAddress;
  readonly #onError: ServeOptions<SocketAddress>["onError"];

  constructor(address: SocketAddress, onError: ServeOptions<SocketAddress>["onError"]) {
    this.#address = address;
    this.#onError = onError;
  }

  report(failure: ServerFailure): void {
    if (this.#onError !== undefined) return void this.#call(this.#onError, failure);
    const { error, connection, line = `the handler failed with ${describeThrown(error)}` } =
      failure;
    this.#write(line, connection);
  }

  async #call(
    onError: (error: unknown, connection?: StreamConnection) => unknown,
    { error, connection }: ServerFailure,
  ): Promise<void> {
    try {
      await onError(error, connection);
    } catch (mistake) {
      this.#write(`onError failed with ${describeThrown(mistake)}`, connection);
    }
  }

  #write(line: string, connection: StreamConnection | undefined): void {
    const peer = connection?.remoteAddress;
    const who = peer === undefined || !isNamed(peer) ? "" : ` ${describeAddress(peer)}:`;
    const where = isNamed(this.#address) ? ` ${describeAddress(this.#address)}` : "";
    console.error(`serve${where}:${who} ${line}`);
  }
}
