import { observe, type Observer } from "../../mod.ts";

/** One event that was observed. */
export interface ObservedEvent {
  readonly name: keyof Observer;
  // deno-lint-ignore no-explicit-any -- a test knows which event it looks at
  readonly event: any;
}

/** Collects all events until it is disposed. */
export interface ObservedEvents extends Disposable {
  readonly all: readonly ObservedEvent[];
  /** The names of the events so far. */
  readonly names: readonly string[];
  /** Returns the events of one name. */
  // deno-lint-ignore no-explicit-any -- a test knows which event it looks at
  of(name: keyof Observer): any[];
}

export function observedEvents(): ObservedEvents {
  const all: ObservedEvent[] = [];
  const note = (name: keyof Observer) => (event: unknown) => void all.push({ name, event });
  const observation = observe({
    connect: note("connect"),
    accept: note("accept"),
    refuse: note("refuse"),
    handshake: note("handshake"),
    close: note("close"),
    shutdown: note("shutdown"),
  });
  return {
    all,
    get names(): string[] {
      return all.map(({ name }) => name);
    },
    of: (name) => all.filter((one) => one.name === name).map(({ event }) => event),
    [Symbol.dispose]: () => observation[Symbol.dispose](),
  };
}
