import type { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import type { DatagramSocket } from "../runtime/backend.ts";
import { LinkedList } from "../core/waiting_calls.ts";
import type { WaitingDatagram, WaitingDatagrams } from "./waiting_datagrams.ts";

/** The sender that {@linkcode NamedDatagrams} belongs to. */
export interface NameUser {
  /** Maps what the backend rejected with. */
  toError(error: unknown, to: Address, target: Address): SocketError;
  /** Takes a datagram whose `target` is an address now; it is still in the list of its name. */
  onResolved(datagram: WaitingDatagram): void;
  /** Called when no datagram to a name and no lookup of it are left. */
  onNameDone(): void;
}

/**
 * Resolves names for the datagrams that wait for them, each name by itself: with the defaults of resolv.conf(5) a name
 * server that does not answer holds a lookup for 10 s, which must delay only the datagrams to its own names.
 */
export class NamedDatagrams {
  readonly #socket: DatagramSocket;
  readonly #waiting: WaitingDatagrams;
  readonly #user: NameUser;
  readonly #lists = new Map<string, LinkedList<WaitingDatagram>>();

  constructor(socket: DatagramSocket, waiting: WaitingDatagrams, user: NameUser) {
    this.#socket = socket;
    this.#waiting = waiting;
    this.#user = user;
  }

  /** True if no lookup is under way, not even one whose calls were all cancelled. */
  get idle(): boolean {
    return this.#lists.size === 0;
  }

  *[Symbol.iterator](): Generator<WaitingDatagram, void, void> {
    for (const list of this.#lists.values()) yield* list;
  }

  /** Gives the list of the datagrams to a name. Call {@linkcode resolve} after one was added to it. */
  listOf(host: string): LinkedList<WaitingDatagram> {
    return this.#lists.get(host) ?? new LinkedList();
  }

  /** Resolves the name of a list, unless that is under way. */
  resolve(host: string, list: LinkedList<WaitingDatagram>): void {
    if (this.#lists.has(host)) return;
    this.#lists.set(host, list);
    void this.#resolveAll(host, list);
  }

  /** Never rejects. */
  async #resolveAll(host: string, list: LinkedList<WaitingDatagram>): Promise<void> {
    for (let first = list.first; first !== undefined; first = list.first) {
      const { to } = first;
      try {
        const target = await this.#socket.resolve(to);
        if (target === undefined) await this.#sendByName(list.first);
        else {
          forSamePort(list, to, (datagram) => {
            datagram.target = target;
            this.#user.onResolved(datagram);
          });
        }
      } catch (error) {
        const mapped = this.#user.toError(error, to, to);
        forSamePort(list, to, (datagram) => this.#waiting.fail(datagram, mapped));
      }
    }
    this.#lists.delete(host);
    this.#user.onNameDone();
  }

  /** Keeps the datagram in its list while it is sent, so that the next one to the name does not overtake it. */
  async #sendByName(datagram: WaitingDatagram | undefined): Promise<void> {
    if (datagram === undefined) return;
    try {
      await this.#socket.send(datagram.bytes, datagram.to);
      this.#waiting.succeed(datagram);
    } catch (error) {
      this.#waiting.fail(datagram, this.#user.toError(error, datagram.to, datagram.to));
    }
  }
}

/** Applies the answer of a lookup to the calls that came during it, as long as they have the same port. */
function forSamePort(
  list: LinkedList<WaitingDatagram>,
  { port }: Address,
  use: (datagram: WaitingDatagram) => void,
): void {
  while (list.first?.to.port === port) use(list.first);
}
