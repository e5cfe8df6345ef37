import type { SocketError } from "../errors.ts";
import type { Address } from "../types.ts";
import type { DatagramBackend } from "../runtime/datagram_backend.ts";
import { LinkedList } from "../core/linked_list.ts";
import type { WaitingDatagram, WaitingDatagrams } from "./waiting_datagrams.ts";

/**
 * Datagrams whose name is being resolved, each name by itself: a name server that does not answer keeps a lookup for
 * 10 s with the defaults of resolv.conf(5), and must delay nothing but the datagrams to its own names.
 */
export class NamedDatagrams {
  readonly #backend: DatagramBackend;
  readonly #waiting: WaitingDatagrams;
  readonly #toError: (error: unknown, to: Address) => SocketError;
  readonly #onResolved: (datagram: WaitingDatagram) => void;
  readonly #onQuiet: () => void;
  readonly #lists = new Map<string, LinkedList<WaitingDatagram>>();

  /**
   * @param onResolved Takes a datagram whose target is an address now; it is still in its list.
   * @param onQuiet Called when the datagrams to one name and its lookup are over.
   */
  constructor(
    backend: DatagramBackend,
    waiting: WaitingDatagrams,
    toError: (error: unknown, to: Address) => SocketError,
    onResolved: (datagram: WaitingDatagram) => void,
    onQuiet: () => void,
  ) {
    this.#backend = backend;
    this.#waiting = waiting;
    this.#toError = toError;
    this.#onResolved = onResolved;
    this.#onQuiet = onQuiet;
  }

  /** Says whether no lookup is under way, be it for calls that were cancelled meanwhile. */
  get quiet(): boolean {
    return this.#lists.size === 0;
  }

  /** Every datagram that waits here. */
  *[Symbol.iterator](): Generator<WaitingDatagram, void, void> {
    for (const list of this.#lists.values()) yield* list;
  }

  /** The list of the datagrams to a name. {@linkcode resolve} must follow once one is in it. */
  listOf(host: string): LinkedList<WaitingDatagram> {
    return this.#lists.get(host) ?? new LinkedList();
  }

  /** Resolves the name of a list, unless that is under way. */
  resolve(host: string, list: LinkedList<WaitingDatagram>): void {
    if (this.#lists.has(host)) return;
    this.#lists.set(host, list);
    void this.#serve(host, list);
  }

  /** Never rejects. */
  async #serve(host: string, list: LinkedList<WaitingDatagram>): Promise<void> {
    for (let first = list.first; first !== undefined; first = list.first) {
      const { to } = first;
      try {
        const target = await this.#backend.resolve(to);
        if (target === undefined) await this.#sendByName(list.first);
        else this.#forSamePort(list, to, (datagram) => this.#pass(datagram, target));
      } catch (error) {
        const mapped = this.#toError(error, to);
        this.#forSamePort(list, to, (datagram) => this.#waiting.fail(datagram, mapped));
      }
    }
    this.#lists.delete(host);
    this.#onQuiet();
  }

  /** The calls that came during a lookup share its answer, as long as they name the port as well. */
  #forSamePort(
    list: LinkedList<WaitingDatagram>,
    { port }: Address,
    use: (datagram: WaitingDatagram) => void,
  ): void {
    while (list.first?.to.port === port) use(list.first);
  }

  #pass(datagram: WaitingDatagram, target: Address): void {
    datagram.target = target;
    this.#onResolved(datagram);
  }

  /** It stays in its list meanwhile, so that the next one to the name does not overtake it. */
  async #sendByName(datagram: WaitingDatagram | undefined): Promise<void> {
    if (datagram === undefined) return;
    try {
      await this.#backend.send(datagram.bytes, datagram.to);
      this.#waiting.remove(datagram);
      datagram.stop?.();
      datagram.resolve();
    } catch (error) {
      this.#waiting.fail(datagram, this.#toError(error, datagram.to));
    }
  }
}
