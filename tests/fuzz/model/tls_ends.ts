import {
  abort,
  accept,
  closeListener,
  connect,
  type Connection,
  connectionOver,
  connectTls,
  listen,
  listenTls,
  type SocketAddress,
  startTls,
} from "../../../mod.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { Random } from "../../support/random.ts";
import { sides } from "../../support/tls_kinds.ts";
import { unixPair } from "../../support/unix_sockets.ts";
import type { Ends } from "./sequence.ts";

/**
 * The kinds of TLS: the runtime's own on the side of the client, the other engine on both sides, STARTTLS on TCP, and TLS
 * over a Unix socket and over a transport in memory.
 */
export const TLS_KINDS = [
  "TLS of the runtime",
  "TLS of the engine",
  "STARTTLS",
  "TLS over Unix",
  "TLS over memory",
] as const;
/** The kinds that need no files. */
export const NETWORK_TLS_KINDS = TLS_KINDS.filter((kind) => kind !== "TLS over Unix");
export type TlsKind = typeof TLS_KINDS[number];

const LOOPBACK = { host: "127.0.0.1", port: 0 };

interface Options {
  readonly sendQueueLimit: number;
}

/** Returns true if an abort of the near end says the end of its stream, which only the runtime's own TLS does (T2). */
export function saysEndAtAbort(kind: TlsKind): boolean {
  return kind === "TLS of the runtime" || kind === "STARTTLS";
}

/** Makes a pair over TLS. */
export async function tlsEnds(kind: TlsKind, seed: number, options: Options): Promise<Ends> {
  switch (kind) {
    case "TLS of the runtime":
    case "TLS of the engine":
      return await overTcp(kind === "TLS of the engine", options);
    case "STARTTLS": {
      await using listener = await listen(LOOPBACK, options);
      const plain = await Promise.all([connect(listener.address, options), accept(listener)]);
      return endsOf(await started(plain, false));
    }
    case "TLS over Unix": {
      const { client, server, ...pair } = await unixPair(options);
      const folder = () => pair[Symbol.asyncDispose]();
      return endsOf(await started([client, server], true), folder);
    }
    case "TLS over memory": {
      const transports = AwkwardTransport.pair(new Random(seed));
      const plain = transports.map((transport) => connectionOver(transport, options));
      const reset = (which: number) => transports[which].reset();
      return { ...endsOf(await started(plain, true)), reset };
    }
  }
}

async function overTcp(withCertificate: boolean, options: Options): Promise<Ends> {
  const { client, server } = await sides(withCertificate);
  const listener = await listenTls(LOOPBACK, { ...options, ...server });
  const pair = await Promise.all([
    connectTls(listener.address, { ...options, ...client }),
    accept(listener),
  ]);
  return endsOf(pair, () => closeListener(listener));
}

async function started(
  [near, far]: readonly Connection<SocketAddress>[],
  withCertificate: boolean,
): Promise<readonly Connection<SocketAddress>[]> {
  const { client, server } = await sides(withCertificate);
  return await Promise.all([
    startTls(near, { role: "client", ...client }),
    startTls(far, { role: "server", ...server }),
  ]);
}

function endsOf(
  [near, far]: readonly Connection<SocketAddress>[],
  release?: () => PromiseLike<void>,
): Ends {
  return {
    near,
    far,
    async end(): Promise<void> {
      abort(near);
      abort(far);
      await release?.();
    },
  };
}
