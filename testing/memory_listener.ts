import type { Address, Transport, TransportListener } from "../types.ts";
import type { ListenSettings } from "../runtime/backend.ts";
import type { MemoryStream } from "./memory_stream.ts";
import { failed, SystemError } from "./system_errors.ts";

/** Clients that wait if no option says otherwise, as in the runtime. */
const DEFAULT_BACKLOG = 511;

/** A port that listens, and the clients that wait there. */
export class MemoryListener implements TransportListener {
  readonly address: Address;
  readonly settings: ListenSettings;
  readonly #hostName: string;
  readonly #onRelease: (listener: MemoryListener) => void;
  readonly #queue: MemoryStream[] = [];
  #pending: PromiseWithResolvers<Transport> | undefined;
  #closed = false;
  #stopped = false;

  /** @param onRelease Called when the port is free. */
  constructor(
    hostName: string,
    address: Address,
    settings: ListenSettings,
    onRelease: (listener: MemoryListener) => void,
  ) {
    this.#hostName = hostName;
    this.address = address;
    this.settings = settings;
    this.#onRelease = onRelease;
  }

  /** True if Linux would ignore another client: it accepts one more than the backlog says. */
  get full(): boolean {
    return this.#queue.length > (this.settings.backlog ?? DEFAULT_BACKLOG);
  }

  get waiting(): string[] {
    const { host, port } = this.address;
    return this.#pending === undefined ? [] : [`an accept of ${this.#hostName}:${port} (${host})`];
  }

  accept(): Promise<Transport> {
    if (this.#closed) return failed("EBADF");
    const first = this.#stopped ? undefined : this.#queue.shift();
    if (first !== undefined) return accepted(first);
    this.#pending = Promise.withResolvers<Transport>();
    return this.#pending.promise;
  }

  /** Takes a client whose handshake is over, and resets it if nobody listens any more. */
  add(stream: MemoryStream): void {
    if (this.#closed || this.#stopped) return stream.reset();
    const pending = this.#pending;
    if (pending === undefined) return void this.#queue.push(stream);
    this.#pending = undefined;
    pending.resolve(accepted(stream));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.#stopped) this.#release();
    this.#pending?.reject(new SystemError("EINTR"));
    this.#pending = undefined;
  }

  /** Ends it as the kernel does for a program that was killed. An accept that waits stays so until `close`. */
  stop(): void {
    if (this.#stopped || this.#closed) return;
    this.#stopped = true;
    this.#release();
  }

  /** Frees the port. The kernel resets the clients that wait. */
  #release(): void {
    this.#onRelease(this);
    for (const stream of this.#queue.splice(0)) stream.reset();
  }
}

/** Hands a client over. The runtime asks for its address, which a client that has reset does not have any more. */
function accepted(stream: MemoryStream): Promise<Transport> {
  return stream.broken ? failed("ENOTCONN") : Promise.resolve(stream);
}
