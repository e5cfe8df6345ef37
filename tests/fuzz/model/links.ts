import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import {
  abort,
  type Connection,
  type KeepConnectedOptions,
  recv,
  SocketError,
} from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";
import {
  type ConnectCall,
  fixedRandom,
  refused,
  type ScriptedLink,
  scriptedLink,
  type ScriptedPeer,
  type SessionCall,
} from "../../support/scripted_link.ts";

/** Deno 2.7 has this function, but not its type. */
declare function setImmediate(callback: (value: void) => void): unknown;

/** Events of a link's world, and calls of its functions. Those that make no sense at the moment do nothing. */
const EVENTS = [
  ...["accept", "accept", "accept", "refuse", "ready", "ready", "ready", "return", "throw"],
  ...["reset", "abort connection", "late ready", "retryNow", "up", "up now", "up soon"],
  ...["pass 0", "pass 40", "pass 40", "pass 400", "pass 1000", "pass 3000", "pass 20000"],
  ...["close", "signal"],
] as const;
type Event = typeof EVENTS[number];

/** The settings of a sequence. */
interface LinkWorld {
  readonly servers: number;
  /** The number that stands in for every random one. */
  readonly random: number;
  readonly attempts: number;
  readonly events: readonly Event[];
}

const HANDSHAKE_TIMEOUT_MS = 2000;
const STABLE_AFTER_MS = 1000;
const BACKOFF = { first: 100, factor: 2, longest: 1500 };

const linkWorlds: fc.Arbitrary<LinkWorld> = fc.record({
  servers: fc.integer({ min: 1, max: 3 }),
  random: fc.constantFrom(0, 0.25, 0.5, 0.999),
  attempts: fc.constantFrom(Infinity, Infinity, Infinity, 4),
  events: fc.array(fc.constantFrom(...EVENTS), { maxLength: 40, size: "max" }),
});

async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A call of `up`, and its result. */
interface UpCall {
  readonly what: string;
  readonly outcome: { value?: Connection; error?: unknown; settled: boolean };
}

/** Holds a link against what X1 and X2 say, from nothing but the events. */
class LinkModel {
  readonly #world: LinkWorld;
  readonly #scripted: ScriptedLink;
  readonly #controller: AbortController;
  readonly #listeners: () => number;
  readonly #ups: UpCall[] = [];
  readonly #peers: ScriptedPeer[] = [];
  readonly #answered = new Set<ConnectCall>();
  readonly #settled = new Set<SessionCall>();
  /** Pauses in a row since the last stable session. */
  #pauses = 0;
  /** Servers that were tried since the last pause. */
  #tried = 0;
  /** Attempts in a row without a stable session. */
  #attempts = 0;
  #connectedAt = 0;
  #readyAt: number | undefined;
  #lostAt: number | undefined;
  #pauseCut = false;
  #seen = 0;

  constructor(world: LinkWorld) {
    this.#world = world;
    this.#controller = new AbortController();
    const { signal, listeners } = countedSignal(this.#controller);
    this.#listeners = listeners;
    const servers = Array.from({ length: world.servers }, (_, index) => {
      return { host: "192.0.2.1", port: index + 1 };
    });
    const options: KeepConnectedOptions = {
      signal,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      stableAfter: STABLE_AFTER_MS,
      backoff: BACKOFF,
      attempts: world.attempts,
    };
    this.#scripted = scriptedLink(options, servers, settle);
  }

  async run(): Promise<void> {
    try {
      await settle();
      for (const event of this.#world.events) {
        await this.#apply(event);
        await settle();
        this.#checkPace();
        await this.#checkState();
      }
      await this.#end();
    } finally {
      this.#controller.abort();
      this.#scripted.sessions.forEach(({ end }) => end());
      await this.#scripted.time.pass(60_000);
      await this.#scripted[Symbol.asyncDispose]();
    }
  }

  get #session(): SessionCall | undefined {
    const session = this.#scripted.sessions.at(-1);
    return session !== undefined && !this.#settled.has(session) ? session : undefined;
  }

  async #apply(event: Event): Promise<void> {
    const { link, time, connects, sessions } = this.#scripted;
    const call = connects.at(-1);
    const session = this.#session;
    switch (event) {
      case "accept":
        if (call !== undefined && !this.#answered.has(call)) {
          this.#answered.add(call);
          this.#peers.push(call.accept());
        }
        return;
      case "refuse":
        if (call !== undefined && !this.#answered.has(call)) {
          this.#answered.add(call);
          call.fail(refused(call.endpoint));
        }
        return;
      case "ready":
        if (session === undefined || session.context.signal.aborted) return;
        session.context.ready();
        if (link.state === "ready") this.#readyAt ??= performance.now();
        return;
      case "return":
      case "throw":
        if (session === undefined) return;
        this.#settled.add(session);
        this.#noteLoss(session);
        if (event === "return") session.end();
        else session.fail(new Error("of the session"));
        return;
      case "reset":
        this.#peers.at(-1)?.reset();
        if (session === undefined) return;
        this.#noteLoss(session);
        return void recv(session.connection).catch(() => {});
      case "abort connection":
        if (session === undefined) return;
        this.#noteLoss(session);
        return abort(session.connection);
      case "late ready":
        return sessions.at(-2)?.context.ready();
      case "retryNow":
        this.#pauseCut ||= link.state === "waiting";
        return link.retryNow();
      case "up":
        return this.#up(event, undefined);
      case "up now":
        return this.#up(event, 0);
      case "up soon":
        return this.#up(event, 300);
      case "close":
        return void link.close().catch(() => {});
      case "signal":
        return this.#controller.abort();
      default: {
        // In small steps, so that each new attempt is seen when it begins.
        for (let left = Number(event.slice("pass ".length)); left >= 0; left -= 50) {
          await time.pass(Math.min(left, 50));
          this.#checkPace();
        }
      }
    }
  }

  /** Notes that a session is over, unless its link has given it up before. */
  #noteLoss({ context }: SessionCall): void {
    if (!context.signal.aborted) this.#lostAt ??= performance.now();
  }

  #up(what: string, timeout: number | undefined): void {
    const outcome: UpCall["outcome"] = { settled: false };
    const up = this.#scripted.link.up(timeout === undefined ? undefined : { timeout });
    up.then((value) => Object.assign(outcome, { value, settled: true }), (error) => {
      Object.assign(outcome, { error, settled: true });
    });
    this.#ups.push({ what, outcome });
  }

  /** X1: checks that an attempt that has begun was not too early, and that there are not too many of them. */
  #checkPace(): void {
    const { connects } = this.#scripted;
    assert(connects.length - this.#seen <= 1 + this.#world.servers, "attempts without a pause");
    for (; this.#seen < connects.length; this.#seen++) this.#checkAttempt();
  }

  #checkAttempt(): void {
    const now = performance.now();
    if (this.#seen > 0) {
      const stable = this.#readyAt !== undefined && this.#lostAt !== undefined &&
        this.#lostAt - this.#readyAt >= STABLE_AFTER_MS;
      if (stable) {
        [this.#pauses, this.#tried, this.#attempts] = [0, 1, 0];
      }
      if (this.#tried >= this.#world.servers) {
        const { first, factor, longest } = BACKOFF;
        const limit = Math.min(longest, first * factor ** this.#pauses++);
        this.#tried = 0;
        const since = now - (this.#lostAt ?? this.#connectedAt);
        // The steps of the clock in a test are whole.
        const pause = limit * this.#world.random;
        assert(this.#pauseCut || since >= pause - 1, `${since} ms of a pause of ${pause} ms`);
      }
    }
    this.#tried++;
    this.#attempts++;
    assert(this.#attempts <= this.#world.attempts, "more attempts than allowed");
    this.#connectedAt = now;
    this.#readyAt = this.#lostAt = undefined;
    this.#pauseCut = false;
  }

  /** Checks that there is one session at a time, and that `up` and the state agree. */
  async #checkState(): Promise<void> {
    const { link, sessions } = this.#scripted;
    const live = sessions.filter(({ context }) => !context.signal.aborted);
    assert(live.length <= 1, `${live.length} sessions at once`);
    const now = await link.up({ timeout: 0 }).catch((error) => error);
    if (link.state === "ready") assertStrictEquals(now, sessions.at(-1)!.connection);
    else assert(now instanceof SocketError || now instanceof Error, `up gave ${now}`);
    const pending = this.#ups.filter(({ outcome }) => !outcome.settled);
    assert(pending.length === 0 || link.state === "connecting" || link.state === "waiting");
  }

  /** X2: ends the link if it has not ended, and checks that nothing of it is left. */
  async #end(): Promise<void> {
    const { link, time, sessions, connects } = this.#scripted;
    const before = this.#ups.filter(({ outcome }) => !outcome.settled);
    link.close().catch(() => {});
    await settle();
    assertEquals(link.state, "ended");
    for (const { what, outcome } of before) {
      const { error } = outcome;
      assert(error instanceof SocketError && error.kind === "Closed", `${what} at the end`);
    }
    assert(this.#ups.every(({ outcome }) => outcome.settled), "a call of up is pending");
    // A session that ignores its end has a second, and the close of its connection another.
    await time.pass(2000);
    assert(this.#scripted.finished() !== undefined, "finished is pending");
    assertEquals([time.running, this.#listeners()], [0, 0], "timers and listeners");
    assert(sessions.every(({ context }) => context.signal.aborted), "a session has no signal");
    for (const call of connects) {
      if (!this.#answered.has(call)) this.#peers.push(call.accept());
      assert(this.#answered.has(call) || call.signal.aborted, "an attempt goes on");
    }
    await settle();
    assert(this.#peers.every(({ closed }) => closed), "a connection is open");
    const attempts = connects.length;
    await time.pass(60_000);
    assertEquals(connects.length, attempts, "it tried again after its end");
  }
}

/** Runs `count` sequences of events. The first failure is made small and reported with its seed and path. */
export async function checkLinkSequences(runs: number, seed?: number): Promise<void> {
  const run = async (world: LinkWorld): Promise<void> => {
    using _random = fixedRandom(world.random);
    await new LinkModel(world).run();
  };
  await fc.assert(fc.asyncProperty(linkWorlds, run), {
    numRuns: runs,
    ...seed === undefined ? {} : { seed },
    endOnFailure: false,
  });
}
