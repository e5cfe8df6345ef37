import type { Address, Transport } from "../types.ts";
import type { MemoryListener } from "./memory_listener.ts";
import { MemoryStream } from "./memory_stream.ts";
import { SystemError, type SystemErrorCode } from "./system_errors.ts";
import type { TimedEvent } from "./timeline.ts";
import type { Host } from "./world.ts";

/** Time after which Linux gives up a SYN that nobody answers (tcp(7): tcp_syn_retries, 6 tries) (ms). */
const SYN_GIVE_UP_MS = 127_000;
/** Time until a SYN that found the backlog full is sent again, at first (ms). */
const FIRST_RETRY_MS = 1000;

/** A host that clients can connect to. */
export interface AcceptingHost extends Host {
  /** Returns who listens at an address. */
  findListener(address: Address): MemoryListener | undefined;
  /** Keeps an end of a connection until it is gone. */
  addStream(stream: MemoryStream): void;
}

/** A handshake with one address. */
export class ConnectAttempt {
  readonly #connected: Promise<Transport>;
  readonly #host: Host;
  readonly #target: AcceptingHost;
  readonly #stream: MemoryStream;
  readonly #resolve: (transport: Transport) => void;
  readonly #reject: (error: SystemError) => void;
  readonly #timer: TimedEvent;
  #retry = FIRST_RETRY_MS;
  readonly #onEnd: (attempt: ConnectAttempt) => void;
  #settled = false;

  /** @param onEnd Called when the attempt has ended, with or without a connection. */
  constructor(
    host: Host,
    target: AcceptingHost,
    stream: MemoryStream,
    onEnd: (attempt: ConnectAttempt) => void,
  ) {
    this.#onEnd = onEnd;
    this.#host = host;
    this.#target = target;
    this.#stream = stream;
    const { promise, resolve, reject } = Promise.withResolvers<Transport>();
    this.#connected = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    const { clock } = host.world;
    const giveUpAt = clock.now() + SYN_GIVE_UP_MS;
    this.#timer = clock.schedule(giveUpAt, () => this.fail("ETIMEDOUT"));
  }

  get waiting(): string {
    const { local, remote } = this.#stream;
    return `a connect of ${this.#host.name}:${local.port} to ${this.#target.name}:${remote.port}`;
  }

  /** Ends the attempt with an error, if it has not ended. */
  fail(code: SystemErrorCode): void {
    if (!this.#settle()) return;
    this.#stream.vanish();
    this.#reject(new SystemError(code));
  }

  /** Ends the attempt without a word to its program, which was killed. */
  stop(): void {
    if (this.#settle()) this.#stream.vanish();
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#host.world.clock.cancel(this.#timer);
    this.#onEnd(this);
    return true;
  }

  /** Sends the SYN; on loopback, the attempt may end within the call. */
  start(): Promise<Transport> {
    this.#knock();
    return this.#connected;
  }

  #knock(): void {
    this.#stream.sendControl("syn", () => this.#onKnock(), true);
  }

  /** Answers for the target. */
  #onKnock(): void {
    const { local, remote } = this.#stream;
    const listener = this.#target.findListener(remote);
    if (listener === undefined) {
      const refusing = new MemoryStream(this.#target, this.#host, remote, local);
      refusing.sendControl("refused", () => this.fail("ECONNREFUSED"));
    } else if (listener.full) {
      this.#host.world.trace.add(this.#target.name, this.#host.name, "backlog full");
      this.#knockLater();
    } else {
      const answer = new MemoryStream(this.#target, this.#host, remote, local);
      answer.peer = this.#stream;
      answer.keepAlive = listener.settings.keepAlive;
      this.#target.addStream(answer);
      answer.sendControl("syn-ack", () => this.#onAnswer(answer, listener));
    }
  }

  #knockLater(): void {
    const { clock } = this.#host.world;
    clock.schedule(clock.now() + this.#retry, () => {
      if (!this.#settled) this.#knock();
    });
    this.#retry *= 2;
  }

  #onAnswer(answer: MemoryStream, listener: MemoryListener): void {
    if (!this.#settle()) {
      this.#stream.sendControl("reset", () => answer.onReset());
      return;
    }
    this.#stream.peer = answer;
    this.#stream.sendControl("ack", () => listener.add(answer));
    this.#resolve(this.#stream);
  }
}
