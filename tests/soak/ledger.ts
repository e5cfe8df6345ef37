/** The counts of a run, which the tables show, and its failures. */
export class Ledger {
  readonly counts = {
    connections: 0,
    frames: 0,
    lines: 0,
    datagrams: 0,
    bytes: 0,
    cancels: 0,
    sessions: 0,
    /** Servers that heartbeats have given up. */
    heartbeats: 0,
    faults: 0,
  };
  /** The number of faults by their names. */
  readonly faults = new Map<string, number>();
  /** The times for which links were not ready, after they had been (ms). */
  readonly #linksDown: number[] = [];
  /** The number of errors that `onError` of the servers got, by kind. */
  readonly serverErrors = new Map<string, number>();
  /** The first 20 failures. One failure fails the run. */
  readonly wrongs: string[] = [];
  /** The number of all failures. */
  wrong = 0;

  fault(name: string): void {
    this.counts.faults++;
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
  }

  linkWasDown(ms: number): void {
    this.#linksDown.push(ms);
  }

  /** Says how often and for how long links were down (ms). */
  get linksDown(): { times: number; median: number; most: number } {
    const sorted = this.#linksDown.toSorted((a, b) => a - b);
    const at = (index: number) => Math.round(sorted[index] ?? 0);
    return { times: sorted.length, median: at(sorted.length >> 1), most: at(sorted.length - 1) };
  }

  serverError(kind: string): void {
    this.serverErrors.set(kind, (this.serverErrors.get(kind) ?? 0) + 1);
  }

  fail(what: string): void {
    this.wrong++;
    if (this.wrongs.length < 20) this.wrongs.push(what);
  }
}
