import { checkBytes } from "../bytes/byte_arguments.ts";
import { checkAddress, toAddress } from "../core/address_check.ts";
import { ipFamily } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type {
  Address,
  Datagram,
  JoinMulticastOptions,
  Membership,
  OperationOptions,
  UdpSocket,
} from "../types.ts";
import { asInvalidInput, invalidInput, readArguments } from "../core/arguments.ts";
import { Cancellation, cancelledError } from "../core/cancellation.ts";
import { CallQueue } from "../core/call_queue.ts";
import type { DatagramSocket } from "../runtime/backend.ts";
import { DatagramSender } from "./datagram_sender.ts";
import { Memberships } from "./memberships.ts";
import { readGroup } from "./multicast.ts";

/** 65,535 bytes less the headers of UDP (8) and of IPv4 (20). */
const LARGEST_IPV4_PAYLOAD_BYTES = 65507;
/** 65,535 bytes less the header of UDP: the length of IPv6 does not count its own header. */
const LARGEST_IPV6_PAYLOAD_BYTES = 65527;
/** Time that datagrams accepted before `closeUdp` have to leave. */
const CLOSE_PATIENCE_MS = 1000;

/** A checked target of datagrams. */
interface Target {
  readonly to: Address;
  readonly isName: boolean;
  readonly largestPayload: number;
}

/** A bound UDP port over any backend. */
export class BoundUdpSocket implements UdpSocket {
  readonly address: Address;
  readonly #socket: DatagramSocket;
  readonly #received: CallQueue<unknown, Datagram>;
  readonly #sender: DatagramSender;
  /** True if an IPv6 socket is of IPv6 only: it can neither send nor receive over IPv4. */
  readonly #ipv6Only: boolean;
  #memberships: Memberships | undefined;
  #lastTarget: Target | undefined;
  #referenced = true;
  #closing: Promise<void> | undefined;
  #closed = false;

  static is(handle: unknown): handle is BoundUdpSocket {
    return handle instanceof BoundUdpSocket;
  }

  constructor(socket: DatagramSocket, sendQueueLimit: number, ipv6Only: boolean) {
    this.#socket = socket;
    this.#ipv6Only = ipv6Only || socket.address.host !== "::";
    this.address = socket.address;
    this.#sender = new DatagramSender(socket, sendQueueLimit);
    this.#received = new CallQueue({
      operation: "recvFrom",
      address: this.address,
      noun: "socket",
      next: () => socket.receive(),
      open: (received) => socket.toDatagram(received),
      // An ICMP error and the like concern one datagram that was sent; none ends the socket.
      judge: () => "retry-after-pause",
      onAwaitedChange: () => this.#updateReference(),
    });
  }

  get dropped(): number {
    return this.#socket.dropped;
  }

  recvFrom(options: OperationOptions | undefined): Promise<Datagram> {
    return this.#received.take(options);
  }

  sendTo(
    address: Address,
    given: Uint8Array,
    options: OperationOptions | undefined,
  ): Promise<void> {
    try {
      const { to, isName, largestPayload } = this.#checkTarget(address);
      const bytes = checkBytes("sendTo", "bytes", given);
      const cancellation = Cancellation.read("sendTo", options);
      if (bytes.length > largestPayload) throw tooLarge(bytes.length, largestPayload, to);
      if (this.#closing !== undefined) throw this.#received.closedError("sendTo");
      const already = cancellation?.already;
      if (already !== undefined) throw cancelledError(already, "sendTo", to);
      return isName
        ? this.#sender.sendToName(bytes, to, cancellation)
        : this.#sender.send(bytes, to, cancellation);
    } catch (error) {
      return Promise.reject(asInvalidInput("sendTo", error));
    }
  }

  async joinMulticast(
    group: string,
    options: JoinMulticastOptions | undefined,
  ): Promise<Membership> {
    const operation = "joinMulticast";
    const read = readArguments(operation, () => readGroup(operation, group, options));
    const address = toAddress(read.host, this.address.port);
    this.#checkFamily(operation, read.family, address, "receive from");
    if (this.#closing !== undefined) throw this.#received.closedError(operation);
    this.#memberships ??= new Memberships({
      socket: this.#socket,
      isClosing: () => this.#closing !== undefined,
      closedError: (operation) => this.#received.closedError(operation),
    });
    return await this.#memberships.join(read);
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#received.close();
      // An idle socket closes within the call.
      const drained = this.#sender.drain(CLOSE_PATIENCE_MS);
      this.#closing = drained === undefined ? this.#close() : drained.then(() => this.#close());
    }
    return this.#closing;
  }

  /** Sets if a pending receive keeps the process alive, which it does at first. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    if (!this.#closed) this.#updateReference();
  }

  [Symbol.asyncIterator](): AsyncGenerator<Datagram, void, void> {
    return this.#received[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Throws `InvalidInput` if the socket does not use a family. */
  #checkFamily(operation: string, family: 4 | 6, address: Address, verb: string): void {
    const { host } = this.address;
    if (family === ipFamily(host) || family === 4 && !this.#ipv6Only) return;
    const bound = host === "::" ? ":: with ipv6Only" : host;
    const reason = `the socket is bound to ${bound}, which cannot ${verb} IPv${family}`;
    throw new SocketError("InvalidInput", operation, reason, { address });
  }

  #updateReference(): void {
    this.#socket.setReferenced(this.#referenced && this.#received.awaited);
  }

  async #close(): Promise<void> {
    this.#closed = true;
    // The process must not end before a pending receive has ended.
    this.#socket.setReferenced(true);
    this.#sender.close(() => this.#received.closedError("sendTo"));
    await this.#socket.close();
    await this.#received.waitQuiet();
  }

  /** Checks a target. Most calls send to the same address as the one before, which is checked once. */
  #checkTarget(address: Address): Target {
    const last = this.#lastTarget;
    if (last !== undefined && last.to.host === address?.host && last.to.port === address.port) {
      return last;
    }
    const { host, port } = checkAddress("sendTo", address, 1);
    const to = toAddress(host, port);
    const family = ipFamily(to.host);
    if (family !== 0) this.#checkFamily("sendTo", family, to, "send to");
    const own = ipFamily(this.address.host);
    return this.#lastTarget = {
      to,
      isName: family === 0,
      largestPayload: own === 4 || family === 4
        ? LARGEST_IPV4_PAYLOAD_BYTES
        : LARGEST_IPV6_PAYLOAD_BYTES,
    };
  }
}

function tooLarge(length: number, largest: number, to: Address): SocketError {
  const reason = `a datagram has at most ${largest} bytes, not ${length}`;
  return new SocketError("TooLarge", "sendTo", reason, { address: to });
}

/** Makes the error for a handle that is something else. */
export function notAUdpSocket(operation: string): SocketError {
  return invalidInput(operation, "the first argument is not a UdpSocket of bindUdp");
}
