import { checkBytes } from "../bytes/byte_arguments.ts";
import { checkAddress, toAddress } from "../core/address_check.ts";
import { ipFamily } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address, Datagram, OperationOptions, UdpSocket } from "../types.ts";
import { asInvalidInput, invalidInput } from "../core/arguments.ts";
import { Cancellation, cancelledError } from "../core/cancellation.ts";
import type { DatagramBackend } from "../runtime/datagram_backend.ts";
import { toSocketError } from "../core/error_mapping.ts";
import { CallQueue } from "../core/call_queue.ts";
import { DatagramSender } from "./datagram_sender.ts";

/** 65,535 less the headers: of UDP (8), and of IPv4 (20), which IPv6 does not count. */
const LARGEST_IPV4 = 65507;
const LARGEST_IPV6 = 65527;

/** Where a datagram may go, and how many bytes it may have there. */
interface Target {
  readonly to: Address;
  readonly isName: boolean;
  readonly most: number;
}

/** Time for what was accepted before `closeUdp` to leave (ms). */
const CLOSE_PATIENCE_MS = 1000;

/** A bound UDP port over either backend. */
export class BoundUdpSocket implements UdpSocket {
  readonly address: Address;
  readonly #backend: DatagramBackend;
  readonly #datagrams: CallQueue<unknown, Datagram>;
  readonly #turns: DatagramSender;
  #lastTarget: Target | undefined;
  #referenced = true;
  #closing: Promise<void> | undefined;
  #closed = false;

  /** Asks for the fields, not the prototype, which a proxy or an heir has as well. */
  static is(handle: unknown): handle is BoundUdpSocket {
    return typeof handle === "object" && handle !== null && #backend in handle;
  }

  constructor(backend: DatagramBackend, sendQueueLimit: number) {
    this.#backend = backend;
    this.address = backend.address;
    this.#turns = new DatagramSender(
      backend,
      sendQueueLimit,
      (error, to) => this.#toError(error, to),
    );
    this.#datagrams = new CallQueue({
      operation: "recvFrom",
      address: this.address,
      noun: "socket",
      next: () => backend.receive(),
      open: (received) => backend.toDatagram(received),
      // ICMP errors and the like are about one datagram that was sent; none ends the socket.
      judge: () => "retry-after-pause",
      onAwaitedChange: () => this.#updateReference(),
    });
  }

  get dropped(): number {
    return this.#backend.dropped;
  }

  recvFrom(options: OperationOptions | undefined): Promise<Datagram> {
    return this.#datagrams.take(options);
  }

  sendTo(
    address: Address,
    given: Uint8Array,
    options: OperationOptions | undefined,
  ): Promise<void> {
    try {
      const { to, isName, most } = this.#checkTarget(address);
      const bytes = checkBytes("sendTo", "bytes", given);
      const cancellation = Cancellation.read("sendTo", options);
      if (bytes.length > most) throw tooLarge(bytes.length, most, to);
      if (this.#closing !== undefined) throw this.#datagrams.closedError("sendTo");
      const already = cancellation?.already;
      if (already !== undefined) throw cancelledError(already, "sendTo", to);
      return isName
        ? this.#turns.sendToName(bytes, to, cancellation)
        : this.#turns.send(bytes, to, cancellation);
    } catch (error) {
      return Promise.reject(asInvalidInput("sendTo", error));
    }
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#datagrams.close();
      // An idle socket closes within the call.
      const drained = this.#turns.drain(CLOSE_PATIENCE_MS);
      this.#closing = drained === undefined ? this.#close() : drained.then(() => this.#close());
    }
    return this.#closing;
  }

  /** A pending receive keeps the process alive, as it does at first, or no longer. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (!this.#closed) this.#updateReference();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    return this.#datagrams[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #updateReference(): void {
    this.#backend.setReferenced(this.#referenced && this.#datagrams.awaited);
  }

  async #close(): Promise<void> {
    this.#closed = true;
    // The end of a pending receive is waited for: the process must not end before it.
    this.#backend.setReferenced(true);
    this.#turns.close(() => this.#datagrams.closedError("sendTo"));
    await this.#backend.close();
    await this.#datagrams.waitQuiet();
  }

  /** Most calls send where the last one did: what was found out about that is not found out again. */
  #checkTarget(address: Address): Target {
    const last = this.#lastTarget;
    if (last !== undefined && last.to.host === address?.host && last.to.port === address.port) {
      return last;
    }
    const { host, port } = checkAddress("sendTo", address, 1);
    const to = toAddress(host, port);
    const family = ipFamily(to.host);
    const own = ipFamily(this.address.host);
    if (family !== 0 && family !== own && this.address.host !== "::") {
      throw new SocketError(
        "InvalidInput",
        "sendTo",
        `the socket is bound to ${this.address.host}, which cannot send to IPv${family}`,
        { address: to },
      );
    }
    const isName = family === 0;
    return this.#lastTarget = {
      to,
      isName,
      most: own === 4 || family === 4 ? LARGEST_IPV4 : LARGEST_IPV6,
    };
  }

  #toError(error: unknown, to: Address): SocketError {
    return this.#closed
      ? this.#datagrams.closedError("sendTo")
      : toSocketError(error, "sendTo", { address: to });
  }
}

function tooLarge(length: number, most: number, to: Address): SocketError {
  const reason = `a datagram has at most ${most} bytes, not ${length}`;
  return new SocketError("TooLarge", "sendTo", reason, { address: to });
}

/** The error for a handle that is something else. */
export function notAUdpSocket(operation: string): SocketError {
  return invalidInput(operation, "the first argument is not a UdpSocket of bindUdp");
}
