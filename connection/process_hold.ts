/** The part of a transport that says whether its pending reads keep the process alive. */
export interface Referenced {
  ref?(): void;
  unref?(): void;
}

/**
 * Whether what waits on a transport keeps the process alive. The caller has a say in it, and so has a
 * read ahead that nobody waits for: only where both agree does it.
 */
export class ProcessHold {
  readonly #transport: Referenced;
  #wanted = true;
  #idle = false;
  #holds = true;

  constructor(transport: Referenced) {
    this.#transport = transport;
  }

  /** The caller's say. */
  want(wanted: boolean): void {
    this.#wanted = wanted;
    this.#apply();
  }

  /** Whether only a read ahead is under way. */
  idle(idle: boolean): void {
    this.#idle = idle;
    this.#apply();
  }

  #apply(): void {
    const holds = this.#wanted && !this.#idle;
    // Each is a walk over the pending reads, and mostly nothing has changed.
    if (holds === this.#holds) return;
    this.#holds = holds;
    if (holds) this.#transport.ref?.();
    else this.#transport.unref?.();
  }
}
