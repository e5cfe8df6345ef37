import { describe, invalidInput, isArray } from "../core/arguments.ts";
import { checkSocketAddress } from "../core/address_check.ts";
import type { Endpoints, SocketAddress } from "../types.ts";

const OPERATION = "keepConnected";

/** Gives an endpoint for each attempt, in rounds: a round tries each endpoint of a list once. */
export class EndpointSource {
  readonly #list: readonly SocketAddress[];
  readonly #ask: ((attempt: number) => unknown) | undefined;
  #position = 0;
  /** Endpoints of this round that were tried. */
  #tried = 0;

  /** Reads the caller's endpoints; must be called within `readArguments`. */
  constructor(endpoints: Endpoints<SocketAddress>) {
    if (typeof endpoints === "function") {
      this.#ask = endpoints;
      this.#list = [];
      return;
    }
    const given: readonly unknown[] = isArray(endpoints) ? endpoints : [endpoints];
    if (given.length === 0) throw invalidInput(OPERATION, "the list of endpoints is empty");
    this.#list = shuffled(given.map(checkEndpoint));
  }

  /** True if every endpoint was tried since the last pause: the next attempt comes after another. */
  get roundOver(): boolean {
    return this.#tried >= Math.max(this.#list.length, 1);
  }

  /** Begins a round. The last endpoint counts as tried in it if its session has just ended. */
  beginRound(tried: 0 | 1): void {
    this.#tried = tried;
  }

  /** Gives the endpoint of the next attempt. Rejects with what the caller's function throws, or `InvalidInput`. */
  async next(attempt: number): Promise<SocketAddress> {
    this.#tried++;
    const ask = this.#ask;
    if (ask !== undefined) {
      const answer = await ask(attempt);
      // An array has no host either, and its caller should read why.
      if (!isArray(answer)) return checkEndpoint(answer);
      const reason = `the function of endpoints gave ${describe(answer)}, not one { host, port }`;
      throw invalidInput(OPERATION, reason);
    }
    const endpoint = this.#list[this.#position];
    this.#position = (this.#position + 1) % this.#list.length;
    return endpoint;
  }
}

/** Returns a frozen copy of an endpoint that can be tried, or throws `InvalidInput`. */
function checkEndpoint(endpoint: unknown): SocketAddress {
  return checkSocketAddress(OPERATION, endpoint, 1);
}

/** Shuffles a list, so that the clients of several servers do not all begin with the same one. */
function shuffled<T>(list: readonly T[]): T[] {
  const result = [...list];
  for (let left = result.length; left > 1; left--) {
    const chosen = Math.floor(Math.random() * left);
    [result[left - 1], result[chosen]] = [result[chosen], result[left - 1]];
  }
  return result;
}
