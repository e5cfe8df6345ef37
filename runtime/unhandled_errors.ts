import { onDeno } from "./permissions.ts";

/** The events of Node and Bun. While somebody listens, such an error does not end the process. */
const PROCESS_EVENTS = ["unhandledRejection", "uncaughtException"];

interface NodeProcess {
  on(event: string, listener: (error: unknown) => void): unknown;
  off(event: string, listener: (error: unknown) => void): unknown;
}

const { process } = globalThis as unknown as { process?: NodeProcess };

/** Listens to errors that nobody handles, until `stop` is called. */
interface Watch {
  stop(): void;
}

/**
 * Calls a function for each rejection and each error that nobody handles, and keeps them from ending the process.
 *
 * @returns Ends that.
 */
export function watchUnhandledErrors(onError: (error: unknown) => void): () => void {
  const watch = onDeno || process === undefined
    ? watchEvents(onError)
    : watchProcess(process, onError);
  return () => watch.stop();
}

function watchEvents(onError: (error: unknown) => void): Watch {
  const note = (event: Event, error: unknown): void => {
    event.preventDefault();
    onError(error);
  };
  const onRejection = (event: Event) => note(event, (event as PromiseRejectionEvent).reason);
  const onThrown = (event: Event) => note(event, (event as ErrorEvent).error);
  globalThis.addEventListener?.("unhandledrejection", onRejection);
  globalThis.addEventListener?.("error", onThrown);
  return {
    stop() {
      globalThis.removeEventListener?.("unhandledrejection", onRejection);
      globalThis.removeEventListener?.("error", onThrown);
    },
  };
}

function watchProcess(node: NodeProcess, onError: (error: unknown) => void): Watch {
  // One function for both events; it is not the caller's, who may watch twice.
  const note = (error: unknown) => onError(error);
  for (const event of PROCESS_EVENTS) node.on(event, note);
  return {
    stop() {
      for (const event of PROCESS_EVENTS) node.off(event, note);
    },
  };
}
