import type { Observer } from "./events.ts";

type EventName = keyof Observer;
type Event<Name extends EventName> = Parameters<Observer[Name]>[0];
type Methods = { readonly [Name in EventName]?: Observer[Name] };

/** The names of all events. */
export const EVENT_NAMES: readonly EventName[] = [
  "connect",
  "accept",
  "refuse",
  "handshake",
  "close",
  "shutdown",
];

/** One call of `observe`. */
interface Registration {
  readonly observer: object;
  readonly methods: Methods;
  /** True until it is disposed. */
  active: boolean;
  /** True after a failure was shown. */
  failed: boolean;
}

/**
 * The observers of each event, or undefined if it has none. Whoever has something to report compares that first, and
 * makes the event object only if somebody gets it.
 */
export const observed: Record<EventName, readonly Registration[] | undefined> = {
  connect: undefined,
  accept: undefined,
  refuse: undefined,
  handshake: undefined,
  close: undefined,
  shutdown: undefined,
};

/** Time since which somebody observes closes (ms). */
let closesObservedSince = 0;

/** Adds the methods of an observer. The returned function takes them away. */
export function addObserver(observer: object, methods: Methods): () => void {
  const registration: Registration = { observer, methods, active: true, failed: false };
  if (methods.close !== undefined && observed.close === undefined) {
    closesObservedSince = performance.now();
  }
  // New arrays, since an event may be under way: it goes to those who observed when it began.
  for (const name of EVENT_NAMES) {
    if (methods[name] !== undefined) observed[name] = [...observed[name] ?? [], registration];
  }
  return () => {
    registration.active = false;
    for (const name of EVENT_NAMES) {
      const left = observed[name]?.filter((one) => one !== registration);
      observed[name] = left?.length === 0 ? undefined : left;
    }
  };
}

/** Notes the time at which a connection is opened, if somebody will want to know it (ms). */
export function openingTime(): number {
  return observed.close === undefined ? 0 : performance.now();
}

/** Returns the duration of a connection that is closed now (ms). */
export function durationSince(openedAt: number): number {
  return performance.now() - Math.max(openedAt, closesObservedSince);
}

/** Gives an event to all who observe it. Nothing that they do comes back to the caller. */
export function report<Name extends EventName>(name: Name, event: Event<Name>): void {
  const registrations = observed[name];
  if (registrations === undefined) return;
  Object.freeze(event);
  for (const registration of registrations) {
    if (registration.active) call(registration, name, event);
  }
}

function call<Name extends EventName>(
  registration: Registration,
  name: Name,
  event: Event<Name>,
): void {
  const method = registration.methods[name] as (event: Event<Name>) => unknown;
  const fail = (error: unknown) => showFailure(registration, name, error);
  try {
    const result = method.call(registration.observer, event);
    // An async method gives a promise, although its result is void.
    if (typeof result === "object" && result !== null) Promise.resolve(result).catch(fail);
  } catch (error) {
    fail(error);
  }
}

/** Shows the first failure of an observer. A line for each would flood the log of a busy server. */
function showFailure(registration: Registration, name: EventName, error: unknown): void {
  if (registration.failed) return;
  registration.failed = true;
  const line = `observe: an observer's ${name}() failed, its later failures are not shown:`;
  try {
    console.error(line, error);
  } catch {
    // An object can have a way of its own to be shown, which fails, too.
    console.error(line, `a thrown ${typeof error}`);
  }
}
