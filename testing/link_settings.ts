import {
  checkLimit,
  checkOptions,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";

/** Settings of one direction between two hosts. */
export interface LinkSettings {
  /**
   * Milliseconds that everything takes at least.
   *
   * @default {1}
   */
  latency?: number;
  /**
   * Milliseconds that anything may take longer than `latency`: each time another random part of them.
   *
   * @default {1}
   */
  jitter?: number;
  /**
   * Probability that a packet is lost, from 0 to 1. A datagram is gone then. On a stream the packet comes 200 ms later,
   * after 600 ms if it is lost again, and so on, as TCP sends it again; what was sent after it waits for it.
   *
   * @default {0}
   */
  loss?: number;
  /**
   * Probability that a datagram comes twice, from 0 to 1.
   *
   * @default {0}
   */
  duplication?: number;
  /**
   * Probability that a datagram is overtaken by later ones, from 0 to 1.
   *
   * @default {0}
   */
  reordering?: number;
  /**
   * Bytes a second that pass, from 1 to `Infinity`. All streams and datagrams of this direction share them.
   *
   * @default {Infinity}
   */
  bandwidth?: number;
  /**
   * The most bytes of a stream that travel as one. Some are shorter: see `partial`.
   *
   * @default {1460}
   */
  segment?: number;
  /**
   * Bytes of a stream that may be under way or unread at the receiver. As many more may wait at the sender.
   *
   * @default {65536}
   */
  window?: number;
}

/** Settings with a value for each. */
export type CheckedLink = Readonly<Required<LinkSettings>>;

const DEFAULTS: CheckedLink = {
  latency: 1,
  jitter: 1,
  loss: 0,
  duplication: 0,
  reordering: 0,
  bandwidth: Infinity,
  segment: 1460,
  window: 65536,
};

/** Settings of a host's link with itself: nothing is slow or lost there. */
export function loopbackOf({ segment, window }: CheckedLink): CheckedLink {
  return { ...DEFAULTS, latency: 0, jitter: 0, segment, window };
}

/** Reads and checks settings; those that are left out are as in `base`. */
export function readLinkSettings(
  operation: string,
  settings: LinkSettings | undefined,
  base: CheckedLink = DEFAULTS,
): CheckedLink {
  return readArguments(operation, () => {
    const given = checkOptions(operation, settings);
    const limit = (name: keyof LinkSettings, lowest: number, whole = false) =>
      checkLimit(operation, name, given[name], base[name], { lowest, whole });
    return {
      latency: finite(operation, "latency", limit("latency", 0)),
      jitter: finite(operation, "jitter", limit("jitter", 0)),
      loss: checkProbability(operation, "loss", given.loss, base.loss),
      duplication: checkProbability(operation, "duplication", given.duplication, base.duplication),
      reordering: checkProbability(operation, "reordering", given.reordering, base.reordering),
      bandwidth: limit("bandwidth", 1),
      segment: limit("segment", 1, true),
      window: limit("window", 1, true),
    };
  });
}

function finite(operation: string, name: string, value: number): number {
  if (value < Infinity) return value;
  throw invalidInput(operation, `${name} is Infinity: partition() holds everything back`);
}

/** Returns a number from 0 to 1, or throws `InvalidInput`. */
export function checkProbability(
  operation: string,
  name: string,
  value: unknown,
  fallback: number,
): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw invalidInput(operation, `${name} is ${describe(value)}, not a number from 0 to 1`);
}
