/** Something that happens at a time. */
export interface TimedEvent {
  readonly at: number;
  /** Number of events that were added before: of two at one time, the earlier one happens first. */
  readonly order: number;
  /** Undefined if the event was cancelled, or has happened. */
  fire: (() => void) | undefined;
}

/** Time, and events in it. */
export interface Clock {
  /** The time (ms). */
  now(): number;
  /** Calls `fire` at a time, which may be now or past. */
  schedule(at: number, fire: () => void): TimedEvent;
  cancel(event: TimedEvent | undefined): void;
  /** Drops all events. */
  clear(): void;
}

/** The heap is rebuilt without cancelled events if it has at least this many, and they are more than half. */
const CANCELLED_TO_REBUILD = 1024;

/** Events by time: a binary heap. It costs the logarithm of their number to add one and to take the first. */
export class Timeline {
  #heap: TimedEvent[] = [];
  #added = 0;
  #cancelled = 0;

  add(at: number, fire: () => void): TimedEvent {
    const event: TimedEvent = { at, order: this.#added++, fire };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
    return event;
  }

  /** Cancels an event. Its slot is freed later, since it may be anywhere in the heap. */
  cancel(event: TimedEvent): void {
    if (event.fire === undefined) return;
    event.fire = undefined;
    this.#cancelled += 1;
    if (this.#cancelled >= CANCELLED_TO_REBUILD && this.#cancelled * 2 > this.#heap.length) {
      this.#rebuild();
    }
  }

  /** Drops all events. */
  clear(): void {
    this.#heap = [];
    this.#cancelled = 0;
  }

  /** Returns the first event, which stays. */
  get first(): TimedEvent | undefined {
    while (this.#heap.length > 0 && this.#heap[0].fire === undefined) {
      this.#cancelled -= 1;
      this.#removeFirst();
    }
    return this.#heap[0];
  }

  /** Takes the first event, and gives its function. */
  take(): (() => void) | undefined {
    const { first } = this;
    if (first === undefined) return undefined;
    this.#removeFirst();
    const { fire } = first;
    first.fire = undefined;
    return fire;
  }

  #removeFirst(): void {
    const last = this.#heap.pop()!;
    if (this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rebuild(): void {
    this.#heap = this.#heap.filter(({ fire }) => fire !== undefined);
    this.#cancelled = 0;
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  #rise(start: number): void {
    const heap = this.#heap;
    const event = heap[start];
    let at = start;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  #sink(start: number): void {
    const heap = this.#heap;
    const event = heap[start];
    let at = start;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], event)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = event;
  }
}

function isBefore(one: TimedEvent, other: TimedEvent): boolean {
  return one.at < other.at || one.at === other.at && one.order < other.order;
}
