/** What happened, in numbers: it is what the tables show, and what must add up. */
export class Ledger {
  readonly counts = {
    connections: 0,
    frames: 0,
    lines: 0,
    datagrams: 0,
    bytes: 0,
    cancels: 0,
    faults: 0,
  };
  /** Faults by their name. */
  readonly faults = new Map<string, number>();
  /** What servers were told by `onError`, by kind. */
  readonly serverErrors = new Map<string, number>();
  /** What is not as it should be; one is one too many. */
  readonly wrongs: string[] = [];
  /** How often something was wrong, also where it is no longer listed. */
  wrong = 0;

  fault(name: string): void {
    this.counts.faults++;
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
  }

  serverError(kind: string): void {
    this.serverErrors.set(kind, (this.serverErrors.get(kind) ?? 0) + 1);
  }

  fail(what: string): void {
    this.wrong++;
    if (this.wrongs.length < 20) this.wrongs.push(what);
  }
}
