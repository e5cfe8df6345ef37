/** A parser of foreign bytes, and the check that must pass for every input. */
export interface Target {
  readonly name: string;
  /** Valid inputs, and some that are almost valid, which the mutations begin with. */
  readonly seeds: readonly Uint8Array[];
  /** Pieces that have a meaning in the format. */
  readonly words: readonly Uint8Array[];
  /** The maximum length of an input (bytes). Longer mutations are cut off. */
  readonly longest: number;
  /** Campaigns have fewer inputs by this factor, if one check takes long; 1 if it is left out. */
  readonly slowness?: number;
  /** Corrects the lengths and checksums of a mutated input, so that the parser reads more of it. */
  readonly repair?: (input: Uint8Array) => Uint8Array;
  /**
   * Parses an input, and throws if a check fails. It returns the outcome in a few words. An input with a new outcome is
   * mutated further.
   */
  readonly check: (input: Uint8Array) => string | Promise<string>;
  /** The beginnings of outcomes that every campaign must show, so that it is not shallow. */
  readonly outcomes: readonly string[];
  /** The most expensive inputs, at any size. */
  readonly worst: readonly Worst[];
}

/** A kind of expensive input. Its cost must be linear in its size. */
export interface Worst {
  readonly name: string;
  /** The smallest size that is timed. It takes some milliseconds. */
  readonly size: number;
  /** Makes an input of this size, and returns a function that parses it. */
  readonly make: (size: number) => () => unknown;
}
