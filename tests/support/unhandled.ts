import { turns } from "./turns.ts";

/** Collects unhandled rejections, which no longer end the process. */
export interface UnhandledRejections extends Disposable {
  /** Returns all of them after everything has run that can run. */
  seen(): Promise<unknown[]>;
}

export function watchUnhandled(): UnhandledRejections {
  const reasons: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    reasons.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", note);
  return {
    async seen(): Promise<unknown[]> {
      await turns();
      return reasons;
    },
    [Symbol.dispose](): void {
      globalThis.removeEventListener("unhandledrejection", note);
    },
  };
}
