import type { SocketError } from "../errors.ts";
import type {
  Address,
  Connection,
  Listener,
  OperationOptions,
  Transport,
  TransportListener,
} from "../types.ts";
import { fromRuntimeAddress, invalidInput } from "../core/arguments.ts";
import { CallQueue, type Verdict } from "../core/call_queue.ts";
import { StreamConnection } from "./stream_connection.ts";

/**
 * Errors of accept(2) that belong to the one connection, or pass: the next accept is tried at once. The
 * list is that of the manual page ("treat them like EAGAIN by retrying"), with ENOTCONN from asking
 * the address of a client that has reset, and EPERM from a firewall.
 */
const PASSING: ReadonlySet<string | undefined> = new Set([
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

/** A port that accepts connections. */
export class StreamListener implements Listener {
  readonly address: Address;
  readonly #source: TransportListener;
  readonly #connections: CallQueue<Transport, StreamConnection>;
  #referenced = true;
  /** Called when it is closed, by whomever; set by the one server that it belongs to. */
  onClose: (() => void) | undefined;

  /** Asks for the fields, not the prototype, which a proxy or an heir has as well. */
  static is(handle: unknown): handle is StreamListener {
    return typeof handle === "object" && handle !== null && #source in handle;
  }

  constructor(source: TransportListener, sendQueueLimit: number) {
    this.#source = source;
    this.address = source.address ?? fromRuntimeAddress(undefined);
    this.#connections = new CallQueue({
      operation: "accept",
      address: this.address,
      noun: "listener",
      next: () => source.accept(),
      open: (transport) => new StreamConnection(transport, sendQueueLimit),
      judge,
    });
  }

  get closed(): boolean {
    return this.#connections.closed;
  }

  /** Whether an accept that waits keeps the process alive. */
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
   * The port is free when this resolves: the runtime holds the descriptor until its accept ends.
   *
   * @param late Gets a connection that nobody has taken, or that came in the moment of the close.
   */
  async close(late: (connection: StreamConnection) => void = drop): Promise<void> {
    const give = (connection: StreamConnection | undefined) => {
      if (connection !== undefined) late(connection);
    };
    if (!this.#connections.closed) {
      // The process must not end before the runtime's accept does.
      this.setReferenced(true);
      give(this.#connections.close());
      this.#source.close();
      this.onClose?.();
    }
    await this.#connections.waitQuiet();
    give(this.#connections.close());
  }

  [Symbol.asyncIterator](): AsyncGenerator<Connection, void, void> {
    return this.#connections[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function drop(connection: StreamConnection): void {
  connection.abort();
}

function judge({ kind, code }: SocketError): Verdict {
  if (kind === "ResourceExhausted") return "reject";
  return PASSING.has(code) ? "retry" : "retry-after-pause";
}

/** The error for a handle that is something else. */
export function notAListener(operation: string): SocketError {
  return invalidInput(operation, "the first argument is not a Listener of listen");
}
