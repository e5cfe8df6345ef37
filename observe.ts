/**
 * Events of connections and servers, for metrics, traces and logs.
 *
 * @module
 */

import { describe, invalidInput, readArguments } from "./core/arguments.ts";
import { addObserver, EVENT_NAMES } from "./observe/observers.ts";
import type { Observer } from "./observe/events.ts";

export type {
  ObservedAccept,
  ObservedClose,
  ObservedConnect,
  ObservedHandshake,
  ObservedRefusal,
  ObservedShutdown,
  Observer,
} from "./observe/events.ts";

const OPERATION = "observe";

/**
 * Calls the methods of an observer for the events of all connections and servers of this program. There is no event for
 * a send or a receive: the connection counts their bytes. While nobody observes an event, it costs one comparison.
 *
 * Methods are called at the moment of the event, so they should be short. They can use the connection, as any code can.
 * If a method throws or rejects, that harms nobody: the first failure of an observer is shown on standard error, and it
 * is called as before.
 *
 * An event goes to the observers that were there when it began: not to one that is added meanwhile, nor to one that is
 * disposed before its turn. An accepted connection has the events `accept`, perhaps `handshake` or `refuse`, and `close`.
 *
 * @param observer An object with some of the methods of {@linkcode Observer}. They are read once.
 * @returns Ends the observation if it is disposed.
 * @throws {SocketError} `InvalidInput` if it is no object, or one of these methods is no function.
 *
 * @example Counting connections
 * ```ts
 * import { accept, close, connect, listen, observe } from "jsr:@aivi/sockets";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * const counts = { opened: 0, closed: 0, failed: 0 };
 * using _observation = observe({
 *   connect: ({ error }) => void (error === undefined ? counts.opened++ : counts.failed++),
 *   accept: () => void counts.opened++,
 *   close: () => void counts.closed++,
 * });
 *
 * await using listener = await listen({ host: "127.0.0.1", port: 0 });
 * const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
 * await Promise.all([close(client), close(server)]);
 * assertEquals(counts, { opened: 2, closed: 2, failed: 0 });
 * ```
 */
export function observe(observer: Partial<Observer>): Disposable {
  const methods = readArguments(OPERATION, () => readMethods(observer));
  const remove = addObserver(observer, methods);
  return { [Symbol.dispose]: remove };
}

function readMethods(observer: Partial<Observer>): Partial<Observer> {
  if (typeof observer !== "object" || observer === null) {
    const right = `an object with methods such as ${EVENT_NAMES.join(", ")}`;
    throw invalidInput(OPERATION, `the observer is ${describe(observer)}, not ${right}`);
  }
  const methods: Partial<Record<keyof Observer, unknown>> = {};
  for (const name of EVENT_NAMES) {
    const method: unknown = observer[name];
    if (method !== undefined && typeof method !== "function") {
      throw invalidInput(OPERATION, `${name} is ${describe(method)}, not a function`);
    }
    methods[name] = method;
  }
  return methods as Partial<Observer>;
}
