import { isCalledByNode, outsideFunctions } from "../runtime/outside_work.ts";
import { SeededRandom } from "./seeded_random.ts";
import { type VirtualClock, VirtualTimer } from "./virtual_clock.ts";

/** The date at which simulations begin: 2000-01-01T00:00:00Z (ms since 1970). */
const EPOCH_MS = Date.UTC(2000, 0, 1);
/** Timers of the runtime fire at once if they are set to more than this. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** The shortest timer, as in Node (ms). A program that polls with 0 ms must make time pass. */
const SHORTEST_TIMER_MS = 1;
/** Time that an immediate takes, for the same reason (ms). */
const IMMEDIATE_MS = 0.001;
/** A stream of random numbers of its own: a program's choices do not change those of the network. */
const PROGRAM_STREAM = 1;

interface Saved {
  readonly owner: object;
  readonly name: PropertyKey;
  /** The own property that was there; undefined if a prototype has it. */
  readonly property: PropertyDescriptor | undefined;
}

/** Replacements of global functions, which can be taken back. */
class Replacements {
  readonly #saved: Saved[] = [];

  replace(owner: object, name: PropertyKey, value: unknown): void {
    const property = Object.getOwnPropertyDescriptor(owner, name);
    this.#saved.push({ owner, name, property });
    // Those of Bun can be written to, and not be defined anew.
    const { configurable = true, enumerable = false } = property ?? {};
    Object.defineProperty(owner, name, { value, configurable, writable: true, enumerable });
  }

  restore(): void {
    for (const { owner, name, property } of this.#saved.reverse()) {
      if (property === undefined) Reflect.deleteProperty(owner, name);
      else Object.defineProperty(owner, name, property);
    }
  }
}

/**
 * Replaces the global functions that give time, chance and work from outside, until the returned function is called.
 *
 * @param refuse Makes the error for a function that a simulation cannot have.
 */
export function installVirtualGlobals(
  clock: VirtualClock,
  seed: number,
  refuse: (what: string) => Error,
): () => void {
  const replacements = new Replacements();
  replaceTimers(replacements, clock);
  replaceTime(replacements, clock);
  replaceChance(replacements, new SeededRandom(seed, PROGRAM_STREAM));
  for (const { owner, name, what, isAsync } of outsideFunctions()) {
    const real = (owner as Record<string, (...args: unknown[]) => unknown>)[name];
    const refused = isAsync
      ? (...args: unknown[]) =>
        isCalledByNode() ? real.apply(owner, args) : Promise.reject(refuse(what))
      // No arrow function, since a class is called with `new`.
      : function (): never {
        throw refuse(what);
      };
    replacements.replace(owner, name, refused);
  }
  return () => replacements.restore();
}

type Callback = (...args: unknown[]) => void;

function replaceTimers(replacements: Replacements, clock: VirtualClock): void {
  const { clearTimeout, clearInterval } = globalThis;
  const start = (call: Callback, ms: number, args: unknown[], repeats: boolean): VirtualTimer => {
    if (typeof call !== "function") throw new TypeError("a timer of a simulation needs a function");
    return new VirtualTimer(clock, args.length === 0 ? call : () => call(...args), ms, repeats);
  };
  const waitOf = (ms: unknown): number => {
    const wait = Number(ms) || 0;
    return wait > LONGEST_TIMER_MS ? SHORTEST_TIMER_MS : Math.max(wait, SHORTEST_TIMER_MS);
  };
  replacements.replace(
    globalThis,
    "setTimeout",
    (call: Callback, ms: unknown, ...args: unknown[]) => start(call, waitOf(ms), args, false),
  );
  replacements.replace(
    globalThis,
    "setInterval",
    (call: Callback, ms: unknown, ...args: unknown[]) => start(call, waitOf(ms), args, true),
  );
  replacements.replace(
    globalThis,
    "setImmediate",
    (call: Callback, ...args: unknown[]) => start(call, IMMEDIATE_MS, args, false),
  );
  // A program may stop timers that were started before the simulation.
  replacements.replace(globalThis, "clearTimeout", (timer: number | undefined) => {
    if (!VirtualTimer.stop(timer)) clearTimeout(timer);
  });
  replacements.replace(globalThis, "clearInterval", (timer: number | undefined) => {
    if (!VirtualTimer.stop(timer)) clearInterval(timer);
  });
  replacements.replace(globalThis, "clearImmediate", (timer: unknown) => {
    VirtualTimer.stop(timer);
  });
  replacements.replace(AbortSignal, "timeout", (ms: number): AbortSignal => {
    const controller = new AbortController();
    // The text and the name are the platform's.
    const reason = new DOMException("Signal timed out.", "TimeoutError");
    new VirtualTimer(clock, () => controller.abort(reason), Number(ms), false);
    return controller.signal;
  });
}

function replaceTime(replacements: Replacements, clock: VirtualClock): void {
  const RealDate = Date;
  const now = () => Math.floor(EPOCH_MS + clock.now());
  replacements.replace(performance, "now", () => clock.now());
  replacements.replace(performance, "timeOrigin", EPOCH_MS);
  const VirtualDate = new Proxy(RealDate, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
    apply: () => new RealDate(now()).toString(),
    get: (target, name, receiver) => name === "now" ? now : Reflect.get(target, name, receiver),
  });
  replacements.replace(globalThis, "Date", VirtualDate);
}

function replaceChance(replacements: Replacements, random: SeededRandom): void {
  const real = crypto.getRandomValues.bind(crypto);
  replacements.replace(Math, "random", () => random.fraction());
  replacements.replace(crypto, "getRandomValues", <T extends ArrayBufferView>(view: T): T => {
    // The platform's own function refuses what no random values can be put into.
    real(view as unknown as Uint8Array<ArrayBuffer>);
    random.fill(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    return view;
  });
  replacements.replace(crypto, "randomUUID", () => {
    const bytes = new Uint8Array(16);
    random.fill(bytes);
    // Version 4, variant 1 (RFC 9562, section 5.4).
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  });
}
