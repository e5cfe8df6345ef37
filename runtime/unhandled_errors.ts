import { onDeno } from "./permissions.ts";

/** The events of Node and Bun. While somebody listens, such an error does not end the process. */
const NODE_EVENTS = ["unhandledRejection", "uncaughtException"];

interface NodeProcess {
  on(event: string, listener: (error: unknown) => void): unknown;
  off(event: string, listener: (error: unknown) => void): unknown;
}

const { process } = globalThis as unknown as { process?: NodeProcess };

/**
 * Calls a function for each rejection and each error that nobody handles, and keeps them from ending the process.
 *
 * @returns Ends that.
 */
export function watchUnhandledErrors(onError: (error: unknown) => void): () => void {
  return onDeno || process === undefined ? watchEvents(onError) : watchProcess(process, onError);
}

function watchEvents(onError: (error: unknown) => void): () => void {
  const note = (event: Event, error: unknown): void => {
    event.preventDefault();
    onError(error);
  };
  const onRejection = (event: Event) => note(event, (event as PromiseRejectionEvent).reason);
  const onThrown = (event: Event) => note(event, (event as ErrorEvent).error);
  globalThis.addEventListener?.("unhandledrejection", onRejection);
  globalThis.addEventListener?.("error", onThrown);
  return () => {
    globalThis.removeEventListener?.("unhandledrejection", onRejection);
    globalThis.removeEventListener?.("error", onThrown);
  };
}

function watchProcess(node: NodeProcess, onError: (error: unknown) => void): () => void {
  const note = (error: unknown) => onError(error);
  for (const event of NODE_EVENTS) node.on(event, note);
  return () => {
    for (const event of NODE_EVENTS) node.off(event, note);
  };
}
