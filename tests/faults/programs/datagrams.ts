import {
  type Address,
  bindUdp,
  type BindUdpOptions,
  closeUdp,
  joinMulticast,
  type JoinMulticastOptions,
  type Membership,
  type OperationOptions,
  recvFrom,
  sendTo,
  type UdpSocket,
} from "../../../mod.ts";
import { type Failure, failureOf, outcomeOf } from "./failure.ts";
import type { Pattern } from "./pattern.ts";

/** The size of the datagram's number, which stands before the pattern (bytes). */
const NUMBER = 4;

type On<Options = unknown> = { readonly on: string } & Options;

/** Makes the commands for datagrams. Every socket has a name. */
export function datagramCommands(pattern: Pattern) {
  const sockets = new Map<string, UdpSocket>();

  function datagram(number: number, size: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    new DataView(bytes.buffer).setUint32(0, number);
    bytes.set(pattern.bytes(number, size - NUMBER), NUMBER);
    return bytes;
  }

  const memberships = new Map<string, Membership>();

  return {
    async bindUdp(
      { as, host, port = 0, options }: {
        as: string;
        host: string;
        port?: number;
        options?: BindUdpOptions;
      },
    ) {
      const socket = await bindUdp({ host, port }, options);
      sockets.set(as, socket);
      return socket.address;
    },
    /** Joins a group. The membership has the name `as`. */
    async joinMulticast(
      { on, as, group, options }: On<{ as: string; group: string; options?: JoinMulticastOptions }>,
    ) {
      memberships.set(as, await joinMulticast(sockets.get(on)!, group, options));
    },
    leave: ({ as }: { as: string }) => memberships.get(as)!.leave(),
    /** Joins a group and leaves it, again and again. */
    async joinAndLeave(
      { on, group, options, rounds }: On<
        { group: string; options?: JoinMulticastOptions; rounds: number }
      >,
    ) {
      for (let round = 0; round < rounds; round++) {
        const membership = await joinMulticast(sockets.get(on)!, group, options);
        await membership.leave();
      }
    },
    /** Sends numbered datagrams. It pauses 1 ms after each `pace` datagrams, so that no queue overflows. */
    async sendNumbered(
      { on, to, count, size, first = 0, pace = Infinity, timeout }: On<
        {
          to: Address;
          count: number;
          size: number;
          first?: number;
          pace?: number;
          timeout?: number;
        }
      >,
    ) {
      const failures: Failure[] = [];
      const options = timeout === undefined ? undefined : { timeout };
      for (let number = first; number < first + count; number++) {
        const sending = sendTo(sockets.get(on)!, to, datagram(number, size), options);
        await sending.catch((error) => failures.push(failureOf(error)));
        if (number % pace === pace - 1) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return { sent: count - failures.length, failures };
    },
    /** Sends numbered datagrams all at once, and returns the outcome of each. */
    async sendTogether(
      { on, to, count, size, timeout }: On<
        { to: Address; count: number; size: number; timeout?: number }
      >,
    ) {
      const options = timeout === undefined ? undefined : { timeout };
      const sends = Array.from(
        { length: count },
        (_, number) => sendTo(sockets.get(on)!, to, datagram(number, size), options),
      );
      const outcomes = await Promise.all(sends.map(outcomeOf));
      return outcomes.map((outcome) => outcome?.kind ?? "sent");
    },
    /** Receives until `most` datagrams have arrived, or until a call fails, for example with its timeout. */
    async recvNumbered({ on, most, ...options }: On<{ most: number } & OperationOptions>) {
      const numbers: number[] = [];
      let intact = true;
      while (numbers.length < most) {
        const came = await outcomeOf(recvFrom(sockets.get(on)!, options));
        if ("kind" in came) return { numbers, intact, end: came };
        const number = new DataView(came.bytes.buffer, came.bytes.byteOffset).getUint32(0);
        intact &&= pattern.matches(came.bytes.subarray(NUMBER), number);
        numbers.push(number);
      }
      return { numbers, intact };
    },
    dropped: ({ on }: On) => sockets.get(on)!.dropped,
    closeUdp: ({ on }: On) => closeUdp(sockets.get(on)!),
  };
}
