import type { CampaignResult } from "./campaign.ts";

/** The order for a campaign in a Web Worker. */
export interface Job {
  readonly target: string;
  readonly inputs: number;
  readonly seed: number;
  readonly window: SharedArrayBuffer;
}

/** The answer of the Web Worker. It contains an error as text. */
export interface Answer extends Omit<CampaignResult, "finding"> {
  readonly finding: { readonly input: Uint8Array; readonly error: string } | undefined;
}

/** An input whose check takes longer hangs (ms). */
const HANG_MS = 60_000;
const CHECK_INTERVAL_MS = 1000;
const LONGEST_BYTES = 64 * 1024;

/** Shared memory that shows the current input of a worker, even while the worker is in an endless loop. */
export class Window {
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(8 + LONGEST_BYTES)) {
    this.buffer = buffer;
    this.#numbers = new Int32Array(buffer, 0, 2);
    this.#bytes = new Uint8Array(buffer, 8);
  }

  show(input: Uint8Array): void {
    this.#bytes.set(input.subarray(0, LONGEST_BYTES));
    Atomics.store(this.#numbers, 1, input.length);
    Atomics.add(this.#numbers, 0, 1);
  }

  /** The number of inputs that have begun. */
  get count(): number {
    return Atomics.load(this.#numbers, 0);
  }

  get input(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#numbers, 1));
  }
}

/** Runs a campaign in a Web Worker. If it hangs, it is ended, and the current input is the finding. */
export function watchedCampaign(job: Omit<Job, "window">): Promise<Answer> {
  const window = new Window();
  const started = performance.now();
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let [count, since] = [-1, started];
  const timer = setInterval(() => {
    const now = performance.now();
    if (window.count !== count) [count, since] = [window.count, now];
    else if (now - since > HANG_MS) {
      resolve({
        inputs: count,
        milliseconds: now - started,
        outcomes: new Map(),
        finding: { input: window.input, error: `does not end within ${HANG_MS} ms` },
      });
    }
  }, CHECK_INTERVAL_MS);
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(`the worker failed: ${event.message}`));
  };
  worker.postMessage({ ...job, window: window.buffer });
  return promise.finally(() => {
    clearInterval(timer);
    worker.terminate();
  });
}
