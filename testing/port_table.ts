import { ipFamily } from "../core/ip_address.ts";
import type { Address } from "../types.ts";
import { SystemError } from "./system_errors.ts";

/** Something that holds a port. */
export interface PortHolder {
  readonly address: Address;
}

/** The ports of one protocol that a host holds. */
export class PortTable<T extends PortHolder> {
  readonly #holders = new Map<number, T[]>();
  readonly #first: number;
  readonly #last: number;
  readonly #mayShare: (holder: T) => boolean;
  #next: number;

  /** @param mayShare Returns true if others may hold the same port. */
  constructor([first, last]: readonly [number, number], mayShare: (holder: T) => boolean) {
    this.#first = this.#next = first;
    this.#last = last;
    this.#mayShare = mayShare;
  }

  *[Symbol.iterator](): Generator<T, void, void> {
    for (const holders of this.#holders.values()) yield* holders;
  }

  /** Tells if anybody holds a port, at any address. */
  has(port: number): boolean {
    return this.#holders.has(port);
  }

  /** Returns the ports of the system's choice, each once, from where the last choice ended. */
  *choices(): Generator<number, void, void> {
    for (let count = this.#last - this.#first; count >= 0; count--) {
      const port = this.#next;
      this.#next = port === this.#last ? this.#first : port + 1;
      yield port;
    }
  }

  /** Returns the address with a port that is free for it. */
  claim({ host, port }: Address, mayShare: boolean): Address {
    if (port !== 0) {
      const holders = this.#holders.get(port) ?? [];
      const rivals = holders.filter((holder) => overlaps(holder.address.host, host));
      if (rivals.some((rival) => !mayShare || !this.#mayShare(rival))) {
        throw new SystemError("EADDRINUSE");
      }
      return { host, port };
    }
    for (const choice of this.choices()) {
      if (!this.#holders.has(choice)) return { host, port: choice };
    }
    throw new SystemError("EADDRINUSE");
  }

  add(holder: T): void {
    const { port } = holder.address;
    const holders = this.#holders.get(port);
    if (holders === undefined) this.#holders.set(port, [holder]);
    else holders.push(holder);
  }

  remove(holder: T): void {
    const { port } = holder.address;
    const left = (this.#holders.get(port) ?? []).filter((other) => other !== holder);
    if (left.length === 0) this.#holders.delete(port);
    else this.#holders.set(port, left);
  }

  /** Returns the holders that get what is sent to an address. */
  find({ host, port }: Address): readonly T[] {
    const holders = this.#holders.get(port) ?? [];
    const exact = holders.filter((holder) => holder.address.host === host);
    return exact.length > 0 ? exact : holders.filter(({ address }) => overlaps(address.host, host));
  }
}

/** Tells if two addresses of one host cannot have the same port. A socket on `::` has IPv4 as well. */
function overlaps(one: string, other: string): boolean {
  if (one === other || one === "::" || other === "::") return true;
  return (one === "0.0.0.0" || other === "0.0.0.0") && ipFamily(one) === ipFamily(other);
}
