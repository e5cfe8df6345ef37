import type { Connection, SocketAddress } from "../types.ts";

/** Two ends of one stream. Disposing them frees all that they hold. */
export interface ConnectionPair extends Partial<AsyncDisposable> {
  /** One end. */
  readonly near: Connection<SocketAddress>;
  /** The other end. */
  readonly far: Connection<SocketAddress>;
}

/** One end of a stream whose peer can send some bytes and then reset. */
export interface ResettableConnection extends Partial<AsyncDisposable> {
  /** The end that is tested. */
  readonly near: Connection<SocketAddress>;
  /** Makes the peer send bytes, and reset the stream then. */
  reset(bytes: Uint8Array): Promise<void>;
}

/** A kind of stream that is tested. */
export interface ConnectionKind {
  makePair(): Promise<ConnectionPair & AsyncDisposable>;
  makeReset(): Promise<ResettableConnection & AsyncDisposable>;
  /** True if the stream tells a peer that dropped it from one that ended it, as TLS does. */
  readonly endsWithTruncation?: boolean;
}

/** Random choices of a row. */
export interface RowRandom {
  /** Returns a whole number from 0 to `end` - 1. */
  below(end: number): number;
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

/** A promise about streams, and its test. */
export interface ConnectionRow {
  readonly what: string;
  /** True if the row needs a peer that can reset. */
  readonly resets?: boolean;
  run(kind: ConnectionKind, random: RowRandom): Promise<void>;
}

type PairTest = (pair: ConnectionPair, random: RowRandom, kind: ConnectionKind) => Promise<void>;

/** Makes the test of a row that needs one pair, which is dropped at the end. Node 22 has no `await using`. */
export function onPair(test: PairTest): ConnectionRow["run"] {
  return async (kind, random) => {
    const pair = await kind.makePair();
    try {
      await test(pair, random, kind);
    } finally {
      await pair[Symbol.asyncDispose]();
    }
  };
}

/** Makes the test of a row that needs one stream whose peer resets. */
export function onReset(
  test: (stream: ResettableConnection) => Promise<void>,
): ConnectionRow["run"] {
  return async (kind) => {
    const stream = await kind.makeReset();
    try {
      await test(stream);
    } finally {
      await stream[Symbol.asyncDispose]();
    }
  };
}
