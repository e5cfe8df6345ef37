import { isNamed } from "../core/address_check.ts";
import { invalidInput } from "../core/arguments.ts";
import { CallQueue, type Verdict } from "../core/call_queue.ts";
import { toSocketError } from "../core/error_mapping.ts";
import type { SocketError } from "../errors.ts";
import { observed, report } from "../observe/observers.ts";
import type {
  Address,
  Listener,
  OperationOptions,
  SocketAddress,
  Transport,
  TransportListener,
} from "../types.ts";
import { CheckedListener } from "./checked_transport.ts";
import { StreamConnection } from "./stream_connection.ts";

/**
 * Errors of accept(2) that belong to one connection or pass: the next accept is tried at once. The list is that of the
 * manual page ("treat them like EAGAIN by retrying"), with ENOTCONN from asking for the address of a client that has
 * reset, and EPERM from a firewall.
 */
const PASSING_CODES: ReadonlySet<string | undefined> = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "ENOTCONN",
  "EPROTO",
  "EPERM",
  "EINTR",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOPROTOOPT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENONET",
  "EOPNOTSUPP",
  "ETIMEDOUT",
]);

/** The accept queue of everything that accepts transports. */
export class StreamListener implements Listener<SocketAddress> {
  readonly address: SocketAddress;
  readonly #source: TransportListener;
  readonly #connections: CallQueue<Transport, StreamConnection>;
  #referenced = true;
  #sourceClosed: Promise<void> | undefined;
  /** Called when the listener is closed. The one server that it belongs to sets it. */
  onClose: (() => void) | undefined;

  static is(handle: unknown): handle is StreamListener {
    return typeof handle === "object" && handle !== null && #source in handle;
  }

  /**
   * @param sendQueueLimit Bytes of waiting sends that each connection holds at most.
   * @param open Makes the connection of a client.
   */
  constructor(
    source: TransportListener,
    sendQueueLimit: number,
    open: (transport: Transport, sendQueueLimit: number) => StreamConnection = openPlain,
  ) {
    const judge = source instanceof CheckedListener ? judgeForeign : judgeAccept;
    this.#source = source;
    this.address = source.address ?? NO_ADDRESS;
    this.#connections = new CallQueue({
      operation: "accept",
      address: isNamed(this.address) ? this.address : undefined,
      noun: "listener",
      next: () => source.accept(),
      open: (transport) => this.#openAccepted(open(transport, sendQueueLimit)),
      judge,
    });
  }

  #openAccepted(connection: StreamConnection): StreamConnection {
    if (observed.accept !== undefined) report("accept", { connection, address: this.address });
    return connection;
  }

  get closed(): boolean {
    return this.#connections.closed;
  }

  /** Sets if an accept that waits keeps the process alive. */
  setReferenced(on: boolean): void {
    if (this.closed || on === this.#referenced) return;
    this.#referenced = on;
    if (on) this.#source.ref?.();
    else this.#source.unref?.();
  }

  accept(options: OperationOptions | undefined): Promise<StreamConnection> {
    return this.#connections.take(options);
  }

  /**
   * Stops listening. The port is free when this resolves: the runtime holds the descriptor until its accept ends.
   *
   * @param onLate Gets a connection that no call has taken, or that came in the moment of the close.
   */
  async close(onLate: (connection: StreamConnection) => void = drop): Promise<void> {
    const give = (connection: StreamConnection | undefined) => {
      if (connection !== undefined) onLate(connection);
    };
    if (!this.#connections.closed) {
      // The process must not end before the runtime's accept does.
      this.setReferenced(true);
      give(this.#connections.close());
      this.#sourceClosed = this.#closeSource();
      this.#sourceClosed.catch(() => {});
      this.onClose?.();
    }
    await this.#connections.waitQuiet();
    give(this.#connections.close());
    await this.#sourceClosed;
  }

  async #closeSource(): Promise<void> {
    try {
      await this.#source.close();
    } catch (error) {
      throw toSocketError(error, "closeListener", { address: this.address });
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<StreamConnection, void, void> {
    return this.#connections[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

const NO_ADDRESS: Address = Object.freeze({ host: "", port: 0 });

function openPlain(transport: Transport, sendQueueLimit: number): StreamConnection {
  return new StreamConnection(transport, sendQueueLimit);
}

function drop(connection: StreamConnection): void {
  connection.abort();
}

function judgeAccept({ kind, code }: SocketError): Verdict {
  if (kind === "ResourceExhausted") return "reject";
  return PASSING_CODES.has(code) ? "retry" : "retry-after-pause";
}

/** Only the program knows an unknown error of its own listener, which may be a mistake in it: the caller gets it. */
function judgeForeign({ code }: SocketError): Verdict {
  return PASSING_CODES.has(code) ? "retry" : "reject";
}

/** Makes the error for a handle that is no listener. */
export function notAListener(operation: string): SocketError {
  return invalidInput(operation, "the first argument is not a Listener of listen or listenerOver");
}
