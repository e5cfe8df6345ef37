import {
  bindUdp,
  type BindUdpOptions,
  joinMulticast,
  type JoinMulticastOptions,
  type Membership,
  recvFrom,
  sendTo,
  type UdpSocket,
} from "../../mod.ts";
import { LOOPBACK } from "./open_handles.ts";
import { soon } from "./socket_errors.ts";

/** True if this program runs on `Deno.listenDatagram`. */
export const ON_DENO = "listenDatagram" in Deno;

export const ON_LOOPBACK = { interface: "127.0.0.1" } as const;
export const ANYWHERE = { host: "0.0.0.0", port: 0 } as const;
/** The first byte of a datagram that is sent to a socket's own address. */
const MARK = 0xff;

/** Gives a group of which nobody else on this machine is a member (RFC 2365, section 6.2). */
export function ownGroup(): string {
  const [a, b] = crypto.getRandomValues(new Uint8Array(2));
  return `239.192.${a}.${b}`;
}

/** A socket in a group, and another socket that sends to the group over the loopback interface. */
export class Member implements AsyncDisposable {
  readonly socket: UdpSocket;
  readonly membership: Membership;
  readonly #sender: UdpSocket;

  private constructor(socket: UdpSocket, membership: Membership, sender: UdpSocket) {
    this.socket = socket;
    this.membership = membership;
    this.#sender = sender;
  }

  static async make(
    { group = ownGroup(), join = ON_LOOPBACK, sender = {}, receiver = {} }: {
      group?: string;
      join?: JoinMulticastOptions;
      sender?: BindUdpOptions;
      receiver?: BindUdpOptions;
    } = {},
  ): Promise<Member> {
    const socket = await bindUdp(ANYWHERE, receiver);
    const membership = await joinMulticast(socket, group, join);
    return new Member(socket, membership, await bindUdp(LOOPBACK, sender));
  }

  /** Sends numbers to the group. */
  async send(...numbers: number[]): Promise<void> {
    const to = { host: this.membership.group, port: this.socket.address.port };
    for (const number of numbers) await sendTo(this.#sender, to, new Uint8Array([number]));
  }

  /** Returns the numbers that have come, by a datagram behind them that comes for certain. */
  async received(): Promise<number[]> {
    const to = { host: "127.0.0.1", port: this.socket.address.port };
    await sendTo(this.#sender, to, new Uint8Array([MARK]));
    const numbers: number[] = [];
    for (;;) {
      const { bytes } = await soon(recvFrom(this.socket));
      if (bytes[0] === MARK) return numbers;
      numbers.push(bytes[0]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.socket[Symbol.asyncDispose]();
    await this.#sender[Symbol.asyncDispose]();
  }
}
