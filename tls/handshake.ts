import { startDeadline } from "../core/timer.ts";
import { SocketError } from "../errors.ts";
import { observed, report } from "../observe/observers.ts";
import type { Connection, SocketAddress, TlsInfo, Transport } from "../types.ts";

/** A session whose handshake is done and whose peer is trusted. */
export interface EstablishedTls {
  /** Moves the bytes of the program. */
  readonly transport: Transport;
  readonly info: TlsInfo;
  /** The most bytes that a read ever brings; undefined if that is a matter of the buffer alone. */
  readonly largestRead: number | undefined;
}

/** The transport that TLS is to run over, and what is known about it. */
export interface TlsGround {
  readonly transport: Transport;
  /** True if no read of the transport is under way. */
  readonly isUntouched: boolean;
  /** True if a read may still be under way after the transport was closed. */
  readonly readsForever: boolean;
}

/** A handshake that is under way. */
export interface Handshake {
  /** True if it has failed, and the caller makes another one instead. */
  readonly isRepeated: boolean;
  /** Resolves when the handshake is done and the peer is trusted. The transport is closed if it rejects. */
  run(): Promise<EstablishedTls>;
  /** Closes the transport, whatever the handshake is doing. */
  giveUp(): void;
}

/** Sets when a handshake is given up. */
export interface HandshakeLimits {
  readonly operation: string;
  /** Longest time of the handshake (ms). */
  readonly timeout: number;
  /** The address of the peer, for errors. */
  readonly address: SocketAddress | undefined;
  /** Gives the handshake up when it aborts; undefined if nothing can cancel the call. */
  readonly signal: AbortSignal | undefined;
}

/** Runs a handshake until it is done, or gives it up. */
export async function runHandshake(
  handshake: Handshake,
  { operation, timeout, signal }: HandshakeLimits,
): Promise<EstablishedTls> {
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  const giveUp = (error: SocketError) => {
    reject(error);
    handshake.giveUp();
  };
  const onAbort = () => giveUp(new SocketError("Aborted", operation, "aborted by its signal"));
  signal?.addEventListener("abort", onAbort);
  // It waits once more if it fires late: what could have come meanwhile is looked at first.
  const stop = startDeadline(timeout, () => {
    const reason = `the handshake was not done within ${timeout} ms`;
    giveUp(new SocketError("TimedOut", operation, reason));
  });
  try {
    if (signal?.aborted) onAbort();
    return await Promise.race([handshake.run(), givenUp]);
  } finally {
    stop();
    signal?.removeEventListener("abort", onAbort);
    givenUp.catch(() => {});
  }
}

/** Returns the time at which a handshake begins, if somebody observes handshakes (ms). */
export function handshakeBegin(): number | undefined {
  return observed.handshake === undefined ? undefined : performance.now();
}

/** Reports a handshake that has ended, well or not, to those who observe it. */
export function reportHandshake(
  begin: number | undefined,
  connection: () => Connection<SocketAddress>,
  error?: SocketError,
): void {
  if (begin === undefined) return;
  const duration = performance.now() - begin;
  const failure = error === undefined ? {} : { error };
  report("handshake", { connection: connection(), protocol: "tls", duration, ...failure });
}

/** Makes the frozen facts of a session, without those that are not known. */
export function makeInfo(
  facts: { readonly [Key in keyof TlsInfo]: TlsInfo[Key] | undefined },
): TlsInfo {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.freeze(Object.fromEntries(known) as unknown as TlsInfo);
}
