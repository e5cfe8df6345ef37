/**
 * A value that several replicas keep, so that it survives the loss of some of them. A write counts when a majority has
 * it, and a read asks a majority: the two share at least one replica. It runs on any network, so that
 * `register_search.ts` can search for its mistakes in simulations.
 *
 * @module
 */
import {
  close,
  framed,
  json,
  type Network,
  recvFrame,
  sendFrame,
  serve,
  type Server,
} from "../mod.ts";

export const REGISTER_PORT = 7100;
/** Time after which a request to one replica is tried again on another connection (ms). */
const TRY_TIMEOUT_MS = 300;
const TRIES = 10;

/** A value with the number of its write. */
export interface Versioned {
  readonly version: number;
  readonly value: string;
}

type Request = { readonly write: Versioned } | { readonly read: true };

/** Options of a replica. */
export interface ReplicaOptions {
  /**
   * Sets if a replica compares versions, and ignores an older write that comes late. Without that it has a mistake,
   * which only some orders of packets show: a write that was tried again can overtake a newer one.
   */
  comparesVersions: boolean;
}

/** Starts a replica on a host. */
export async function startReplica(
  network: Network,
  host: string,
  { comparesVersions }: ReplicaOptions,
): Promise<Server> {
  let current: Versioned = { version: 0, value: "" };
  const listener = await network.listen({ host, port: REGISTER_PORT });
  return serve(listener, async (connection) => {
    const requests = framed(connection, json<Versioned, Request>());
    for await (const request of requests) {
      if ("write" in request && (!comparesVersions || request.write.version > current.version)) {
        current = request.write;
      }
      await sendFrame(requests, current);
    }
  }, { onError: () => {} }); // A client that is gone tries again.
}

/** A client that is the only one to write. */
export class RegisterClient {
  readonly #network: Network;
  readonly #replicas: readonly string[];
  #version = 0;

  constructor(network: Network, replicas: readonly string[]) {
    this.#network = network;
    this.#replicas = replicas;
  }

  /** Writes a value. Resolves when a majority has it. */
  async write(value: string): Promise<void> {
    const write = { version: ++this.#version, value };
    await this.#askMajority({ write });
  }

  /** Reads the value that was written last. */
  async read(): Promise<string> {
    const answers = await this.#askMajority({ read: true });
    return answers.reduce((one, other) => other.version > one.version ? other : one).value;
  }

  /** Asks all replicas, and resolves with the first answers that are a majority. */
  #askMajority(request: Request): Promise<Versioned[]> {
    const majority = Math.floor(this.#replicas.length / 2) + 1;
    const answers: Versioned[] = [];
    let failures = 0;
    return new Promise((resolve, reject) => {
      for (const host of this.#replicas) {
        this.#ask(host, request).then((answer) => {
          if (answers.push(answer) === majority) resolve(answers);
        }, (error) => {
          if (++failures > this.#replicas.length - majority) reject(error);
        });
      }
    });
  }

  async #ask(host: string, request: Request): Promise<Versioned> {
    for (let left = TRIES;; left--) {
      try {
        return await this.#askOnce(host, request);
      } catch (error) {
        if (left === 0) throw error;
      }
    }
  }

  async #askOnce(host: string, request: Request): Promise<Versioned> {
    const limit = { timeout: TRY_TIMEOUT_MS };
    const connection = await this.#network.connect({ host, port: REGISTER_PORT }, limit);
    const stream = framed(connection, json<Request, Versioned>());
    try {
      await sendFrame(stream, request, limit);
      const answer = await recvFrame(stream, limit);
      if (answer === null) throw new Error("the replica has ended the connection");
      return answer;
    } finally {
      // The request may still be under way, and may arrive.
      void close(connection).catch(() => {});
    }
  }
}
