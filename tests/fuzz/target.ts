/** Something that reads what strangers send, and what must hold of it whatever that is. */
export interface Target {
  readonly name: string;
  /** Inputs that are right, and some that nearly are: what mutations begin with. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that mean something in the format. */
  readonly words: readonly Uint8Array[];
  /** What is longer is cut off here. */
  readonly longest: number;
  /** Makes a mutated input's lengths and checksums right again, so that it gets further. */
  readonly repair?: (input: Uint8Array) => Uint8Array;
  /**
   * Feeds it an input and throws where anything does not hold. What it gives says in a few words what
   * came of the input: an input with a new outcome is worth mutating further.
   */
  readonly check: (input: Uint8Array) => string | Promise<string>;
  /** Outcomes without which the fuzzing would be shallow; the beginning of each is enough. */
  readonly outcomes: readonly string[];
  /** Its most expensive inputs, at any size. */
  readonly worst: readonly Worst[];
}

/** A kind of input that costs much, of which twice the size should cost twice as much. */
export interface Worst {
  readonly name: string;
  /** The smallest size that is timed: reading it takes some milliseconds. */
  readonly size: number;
  /** What reads an input of this size; it is made beforehand. */
  readonly make: (size: number) => () => unknown;
}
