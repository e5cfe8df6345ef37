import type { CampaignResult } from "./campaign.ts";

/** What a run in a worker is asked for. */
export interface Job {
  readonly target: string;
  readonly inputs: number;
  readonly seed: number;
  readonly window: SharedArrayBuffer;
}

/** What a worker answers; an error crosses the border as its text. */
export interface Answer extends Omit<CampaignResult, "finding"> {
  readonly finding: { readonly input: Uint8Array; readonly error: string } | undefined;
}

/** An input that has not come to its end for so many milliseconds never will. */
const HANG = 60_000;
const LOOK = 1000;
const LONGEST = 64 * 1024;

/** What a worker is at, where somebody outside can see it even if it spins. */
export class Window {
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(8 + LONGEST)) {
    this.buffer = buffer;
    this.#numbers = new Int32Array(buffer, 0, 2);
    this.#bytes = new Uint8Array(buffer, 8);
  }

  show(input: Uint8Array): void {
    this.#bytes.set(input.subarray(0, LONGEST));
    Atomics.store(this.#numbers, 1, input.length);
    Atomics.add(this.#numbers, 0, 1);
  }

  /** How many inputs have begun. */
  get count(): number {
    return Atomics.load(this.#numbers, 0);
  }

  get input(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#numbers, 1));
  }
}

/** Runs a campaign in a worker, which is ended where it hangs: the input that did it is the finding. */
export function watchedCampaign(job: Omit<Job, "window">): Promise<Answer> {
  const window = new Window();
  const started = performance.now();
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let [count, since] = [-1, started];
  const timer = setInterval(() => {
    const now = performance.now();
    if (window.count !== count) [count, since] = [window.count, now];
    else if (now - since > HANG) {
      resolve({
        inputs: count,
        milliseconds: now - started,
        outcomes: new Map(),
        finding: { input: window.input, error: `does not end within ${HANG} ms` },
      });
    }
  }, LOOK);
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
