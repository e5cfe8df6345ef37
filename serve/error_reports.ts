import { describeAddress, isNamed } from "../core/address_check.ts";
import { summarize } from "../core/error_mapping.ts";
import type { StreamConnection } from "../connection/stream_connection.ts";
import type { ServeOptions, SocketAddress } from "../types.ts";

/** A failure to report. */
export interface ServerFailure {
  readonly error: unknown;
  readonly connection?: StreamConnection;
  /** Text for standard error, which quotes nothing; it is made from the error's kind or class if it is missing. */
  readonly line?: string;
}

/**
 * Reports failures to `onError`, or in lines on standard error. Nothing that `onError` does ends the server.
 *
 * A line contains nothing that was received or sent. The message of an error may quote it, even in an error of this
 * package if a codec threw it, so the line has only its kind, or the name of its class.
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
    const { error, connection, line = `the handler failed with ${summarize(error)}` } = failure;
    this.#write(line, connection);
  }

  async #call(
    onError: (error: unknown, connection?: StreamConnection) => unknown,
    { error, connection }: ServerFailure,
  ): Promise<void> {
    try {
      await onError(error, connection);
    } catch (mistake) {
      this.#write(`onError failed with ${summarize(mistake)}`, connection);
    }
  }

  #write(line: string, connection: StreamConnection | undefined): void {
    const peer = connection?.remoteAddress;
    const who = peer === undefined || !isNamed(peer) ? "" : ` ${describeAddress(peer)}:`;
    const where = isNamed(this.#address) ? ` ${describeAddress(this.#address)}` : "";
    console.error(`serve${where}:${who} ${line}`);
  }
}
