import type { CheckedLink } from "./link_settings.ts";
import type { Direction, Host, PacketSender, World } from "./world.ts";

/** Time until TCP sends a lost packet again, at first (RFC 6298 with Linux's TCP_RTO_MIN), and for a SYN (ms). */
const FIRST_RETRY_MS = 200;
const FIRST_SYN_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 120_000;
/** Tries after which a packet counts as arrived: a loss of 1 would hold it for ever otherwise (tcp_retries2). */
const MOST_RETRIES = 15;

interface HeldPacket {
  readonly sender: PacketSender;
  readonly deliver: () => void;
}

/** A direction between two hosts, with everything that holds packets up. */
export class Wire implements Direction {
  readonly from: Host;
  readonly to: Host;
  settings: CheckedLink;
  /** Number of partitions between the two. */
  partitions = 0;
  readonly #world: World;
  readonly #held: HeldPacket[] = [];
  /** Time until which the bandwidth is used up (ms). */
  #busyUntil = 0;

  constructor(world: World, from: Host, to: Host, settings: CheckedLink) {
    this.#world = world;
    this.from = from;
    this.to = to;
    this.settings = settings;
  }

  get #isLoopback(): boolean {
    return this.from === this.to;
  }

  get blocked(): boolean {
    if (this.#isLoopback) return false;
    return this.partitions > 0 || this.from.frozen || this.to.frozen;
  }

  send(bytes: number, sender: PacketSender, deliver: () => void, isSyn = false): void {
    let delay = this.#delay(bytes);
    const { loss } = this.settings;
    let retry = isSyn ? FIRST_SYN_RETRY_MS : FIRST_RETRY_MS;
    for (let tries = 0; tries < MOST_RETRIES && this.#world.random.chance(loss); tries++) {
      delay += retry;
      retry = Math.min(2 * retry, LONGEST_RETRY_MS);
    }
    // On loopback the kernel hands a packet over within the call that sends it.
    if (delay === 0 && this.#isLoopback && sender.underWay === 0) return deliver();
    const at = Math.max(this.#world.clock.now() + delay, sender.lastArrival);
    sender.lastArrival = at;
    sender.underWay += 1;
    this.#world.clock.schedule(at, () => {
      sender.underWay -= 1;
      if (this.blocked) this.#hold({ sender, deliver });
      else deliver();
    });
  }

  sendDatagram(bytes: number, lastArrival: number, deliver: () => void): number {
    const { random, clock } = this.#world;
    const { loss, duplication, reordering, latency, jitter } = this.settings;
    if (this.blocked || random.chance(loss)) return lastArrival;
    const copies = random.chance(duplication) ? 2 : 1;
    let last = lastArrival;
    for (let copy = 0; copy < copies; copy++) {
      const at = Math.max(clock.now() + this.#delay(bytes), last);
      // Long enough for some of the next ones to overtake it.
      const late = random.chance(reordering) ? (1 + random.fraction()) * (latency + jitter + 1) : 0;
      if (this.#isLoopback && at + late === clock.now()) deliver();
      else {
        clock.schedule(at + late, () => {
          if (!this.blocked) deliver();
        });
      }
      if (late === 0) last = at;
    }
    return last;
  }

  /** Lets what is held come, in its order, if nothing blocks the direction any more. */
  release(): void {
    if (this.blocked) return;
    for (const { sender, deliver } of this.#held.splice(0)) {
      if (sender.gone) continue;
      // An end that its program has closed is none of its host's streams any more, and hears of it here only.
      sender.onPassing();
      deliver();
    }
  }

  #hold(packet: HeldPacket): void {
    this.#held.push(packet);
    packet.sender.onHeld();
  }

  #delay(bytes: number): number {
    const { latency, jitter, bandwidth } = this.settings;
    const way = latency + (jitter > 0 ? jitter * this.#world.random.fraction() : 0);
    if (bandwidth === Infinity) return way;
    const now = this.#world.clock.now();
    this.#busyUntil = Math.max(now, this.#busyUntil) + bytes / bandwidth * 1000;
    return this.#busyUntil - now + way;
  }
}
