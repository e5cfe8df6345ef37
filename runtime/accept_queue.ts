import type { SocketAddress, Transport, TransportListener } from "../types.ts";

/** Clients that may wait until they are asked for. Each takes a descriptor and some 3 KB. */
const MOST_WAITING_CLIENTS = 4096;

/** The listener of a runtime whose clients an {@linkcode AcceptQueue} holds. */
export interface AcceptSource<Client> {
  /** Sets if the listener keeps the process alive. */
  setReferenced(on: boolean): void;
  /** Makes the transport of a client that somebody has asked for, or nothing if the client has reset since. */
  open(client: Client): Transport | undefined;
  /** Closes a client that nobody will ask for, with a reset. */
  refuse(client: Client): void;
}

/**
 * The clients of a listener of Node or Bun. Both runtimes accept every client at once and cannot leave any to the
 * kernel, so those that nobody has asked for wait here, without being read. Further ones are reset.
 */
export class AcceptQueue<Client> {
  readonly #source: AcceptSource<Client>;
  readonly #waiting: Client[] = [];
  #accept: PromiseWithResolvers<Transport> | undefined;
  #failure: Error | undefined;
  #referenced = true;
  #closed = false;

  constructor(source: AcceptSource<Client>) {
    this.#source = source;
    // A listener keeps the process alive only while somebody waits for a client.
    source.setReferenced(false);
  }

  /** Gives the next client, or the error of the listener that came before it. */
  accept(): Promise<Transport> {
    if (this.#closed) return Promise.reject(closedUnderneath());
    while (this.#waiting.length > 0) {
      const transport = this.#source.open(this.#waiting.shift()!);
      if (transport !== undefined) return Promise.resolve(transport);
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) return Promise.reject(failure);
    this.#accept = Promise.withResolvers();
    this.#updateReference();
    return this.#accept.promise;
  }

  /** Takes a client that the runtime has accepted. */
  add(client: Client): void {
    if (this.#closed || this.#waiting.length >= MOST_WAITING_CLIENTS) {
      return this.#source.refuse(client);
    }
    if (this.#accept === undefined) {
      this.#waiting.push(client);
      return;
    }
    const transport = this.#source.open(client);
    if (transport !== undefined) this.#settle()!.resolve(transport);
  }

  /** Reports an error of the listener to one `accept`. */
  fail(error: Error): void {
    const accept = this.#settle();
    if (accept === undefined) this.#failure = error;
    else accept.reject(error);
  }

  /** Rejects the pending `accept`, and resets the clients that wait, as the kernel does with those of a backlog. */
  close(): void {
    this.#closed = true;
    for (const client of this.#waiting.splice(0)) this.#source.refuse(client);
    this.#accept?.reject(closedUnderneath());
    this.#accept = undefined;
  }

  /** Sets if a pending `accept` keeps the process alive, which it does at first. */
  setReferenced(on: boolean): void {
    this.#referenced = on;
    this.#updateReference();
  }

  #settle(): PromiseWithResolvers<Transport> | undefined {
    const accept = this.#accept;
    this.#accept = undefined;
    if (accept !== undefined) this.#updateReference();
    return accept;
  }

  #updateReference(): void {
    if (!this.#closed) this.#source.setReferenced(this.#referenced && this.#accept !== undefined);
  }
}

/** A listener of Node or Bun. The runtime's own listener gives its clients to `clients`. */
export abstract class QueuedListener<Client, A extends SocketAddress>
  implements TransportListener<A> {
  readonly address: A;
  protected readonly clients: AcceptQueue<Client>;

  constructor(address: A, source: AcceptSource<Client>) {
    this.address = address;
    this.clients = new AcceptQueue(source);
  }

  accept(): Promise<Transport> {
    return this.clients.accept();
  }

  ref(): void {
    this.clients.setReferenced(true);
  }

  unref(): void {
    this.clients.setReferenced(false);
  }

  /** Ends the queue. The runtime's listener must be closed before. */
  close(): void {
    this.clients.close();
  }
}

/** Makes the error of a call that meets its own side's close, which `core/error_mapping.ts` knows by its code. */
export function closedUnderneath(): Error {
  return Object.assign(new Error("closed on this side"), { code: "EBADF" });
}
