import { checkAddress, ipFamily, toAddress } from "../address.ts";
import { SocketError } from "../errors.ts";
import type { Address, Datagram, OperationOptions, UdpSocket } from "../types.ts";
import { checkBytes, invalidInput } from "./arguments.ts";
import { Cancellation, cancelledError } from "./cancellation.ts";
import type { DatagramBackend } from "./datagram_backend.ts";
import { toSocketError } from "./error_mapping.ts";
import { OneAtATime } from "./one_at_a_time.ts";
import { SendTurns } from "./send_turns.ts";

/** 65,535 less the headers: of UDP (8), and of IPv4 (20), which IPv6 does not count. */
const LARGEST_IPV4 = 65507;
const LARGEST_IPV6 = 65527;

/** A bound UDP port over either backend. */
export class BoundUdpSocket implements UdpSocket {
  readonly address: Address;
  readonly #backend: DatagramBackend;
  readonly #datagrams: OneAtATime<Datagram>;
  readonly #turns: SendTurns;
  #closing: Promise<void> | undefined;

  /** Asks for the fields, not the prototype, which a proxy or an heir has as well. */
  static is(handle: unknown): handle is BoundUdpSocket {
    return typeof handle === "object" && handle !== null && #backend in handle;
  }

  constructor(backend: DatagramBackend) {
    this.#backend = backend;
    this.address = backend.address;
    this.#turns = new SendTurns(backend, (error, to) => this.#toError(error, to));
    this.#datagrams = new OneAtATime({
      operation: "recvFrom",
      address: this.address,
      noun: "socket",
      next: () => backend.receive(),
      // ICMP errors and the like are about one datagram that was sent; none ends the socket.
      judge: () => "pass over once",
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
    bytes: Uint8Array,
    options: OperationOptions | undefined,
  ): Promise<void> {
    try {
      const to = this.#checkTarget(address);
      checkBytes("sendTo", "bytes", bytes);
      const cancellation = Cancellation.read("sendTo", options);
      this.#checkLength(bytes.length, to);
      if (this.#closing !== undefined) throw this.#datagrams.closedError("sendTo");
      const already = cancellation?.already;
      if (already !== undefined) throw cancelledError(already, "sendTo", to);
      return this.#turns.send(bytes, to, cancellation);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#datagrams.close();
      this.#closing = this.#backend.close().then(() => this.#datagrams.whenQuiet());
      this.#turns.close(() => this.#datagrams.closedError("sendTo"));
    }
    return this.#closing;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    return this.#datagrams[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #checkTarget(address: Address): Address {
    const { host, port } = checkAddress("sendTo", address, 1);
    const to = toAddress(host, port);
    const family = ipFamily(to.host);
    const own = ipFamily(this.address.host);
    if (family === 0 || family === own || this.address.host === "::") return to;
    throw new SocketError(
      "InvalidInput",
      "sendTo",
      `the socket is bound to ${this.address.host}, which cannot send to IPv${family}`,
      { address: to },
    );
  }

  #checkLength(length: number, to: Address): void {
    const onlyIPv4 = ipFamily(this.address.host) === 4 || ipFamily(to.host) === 4;
    const most = onlyIPv4 ? LARGEST_IPV4 : LARGEST_IPV6;
    if (length <= most) return;
    const reason = `a datagram has at most ${most} bytes, not ${length}`;
    throw new SocketError("TooLarge", "sendTo", reason, { address: to });
  }

  #toError(error: unknown, to: Address): SocketError {
    return this.#closing === undefined
      ? toSocketError(error, "sendTo", { address: to })
      : this.#datagrams.closedError("sendTo");
  }
}

/** The error for a handle that is something else. */
export function notAUdpSocket(operation: string): SocketError {
  return invalidInput(operation, "the first argument is not a UdpSocket of bindUdp");
}
