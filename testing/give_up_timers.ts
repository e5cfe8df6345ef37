import type { TimedEvent } from "./timeline.ts";
import type { Host } from "./world.ts";

/** Time after which TCP gives up data that nobody acknowledges (tcp(7): tcp_retries2, 15 tries) (ms). */
const GIVE_UP_MS = 924_600;
/** Silence after which a connection is probed (tcp(7): tcp_keepalive_time) (ms). */
const KEEPALIVE_MS = 7_200_000;
/** Time that the probes take: 9 of them, 75 s apart (tcp(7)) (ms). */
const KEEPALIVE_PROBES_MS = 675_000;

/** The timers by which a kernel gives up a connection whose peer is silent. */
export class GiveUpTimers {
  readonly #host: Host;
  readonly #giveUp: () => void;
  readonly #timers: TimedEvent[] = [];
  /** Time at which the peer was heard last: its packets count, and its acknowledgements (ms). */
  #lastHeard: number;
  /** True if data waits for its acknowledgement. */
  #isUnacknowledged = false;

  /** @param giveUp Called when the time is up. */
  constructor(host: Host, giveUp: () => void) {
    this.#host = host;
    this.#giveUp = giveUp;
    this.#lastHeard = host.world.clock.now();
  }

  /** Notes a sign of life of the peer. */
  hear(): void {
    this.#lastHeard = this.#host.world.clock.now();
  }

  /** Starts to wait for an acknowledgement. */
  waitAcknowledgement(): void {
    this.#isUnacknowledged = true;
    this.#start(this.#host.world.clock.now() + GIVE_UP_MS, false);
  }

  /** Starts to wait for the answer to the next probe. The peer has answered all until now. */
  waitProbe(): void {
    const silence = this.#host.world.clock.now() - this.#lastHeard;
    const probes = Math.max(1, Math.ceil(silence / KEEPALIVE_MS));
    this.#start(this.#lastHeard + probes * KEEPALIVE_MS + KEEPALIVE_PROBES_MS, true);
  }

  stop(): void {
    this.#isUnacknowledged = false;
    for (const timer of this.#timers.splice(0)) this.#host.world.clock.cancel(timer);
  }

  #start(time: number, isProbe: boolean): void {
    const fire = () => {
      // While data waits for its acknowledgement, the kernel does not probe.
      if (isProbe && this.#isUnacknowledged) return;
      // The kernel of a frozen machine gives nothing up.
      if (!this.#host.frozen) this.#giveUp();
    };
    this.#timers.push(this.#host.world.clock.schedule(time, fire));
  }
}
