import { checkLimit, checkOptions, describe, invalidInput } from "../core/arguments.ts";
import { checkSignal } from "../core/cancellation.ts";
import {
  type CloseLimits,
  DEFAULT_FLUSH_TIMEOUT_MS,
  DEFAULT_LINGER_MS,
} from "../connection/graceful_close.ts";
import { TrustList } from "../proxy_protocol/trust_list.ts";
import type {
  Connection,
  ProxyProtocolOptions,
  ServeContext,
  ServeOptions,
  SocketAddress,
} from "../types.ts";

type Options = ServeOptions<SocketAddress>;

const OPERATION = "serve";
const DEFAULT_MAX_CONNECTIONS = 10_000;
const DEFAULT_HEADER_TIMEOUT_MS = 10_000;

export type Handler = (
  connection: Connection<SocketAddress>,
  context: ServeContext<SocketAddress>,
) => void | Promise<void>;

/** Peers that may name their clients, and the time that their headers may take. */
export interface ProxyTrust {
  readonly trusted: TrustList;
  /** In milliseconds. */
  readonly timeout: number;
}

type Limits = "maxConnections" | "maxConnectionsPerHost" | "firstByteTimeout" | "idleTimeout";

/** The options of a server, checked and complete. */
export interface ServerSettings
  extends
    Readonly<Required<Pick<Options, Limits | "whenFull">>>,
    Readonly<Pick<Options, "signal" | "onError" | "onRefused">> {
  readonly handler: Handler;
  /** Limits of the close after a handler. */
  readonly closeLimits: CloseLimits;
  readonly proxies: ProxyTrust | undefined;
}

/** Reads and checks the arguments of `serve`; must be called within `readArguments`. */
export function readServeOptions(
  handler: Handler,
  options: Options | undefined,
): ServerSettings {
  if (typeof handler !== "function") {
    throw invalidInput(OPERATION, `the handler is ${describe(handler)}, not a function`);
  }
  const checked = checkOptions<Options>(OPERATION, options);
  const { signal, onError, onRefused, proxyProtocol } = checked;
  if (signal !== undefined) checkSignal(OPERATION, signal);
  checkCallback("onError", onError);
  checkCallback("onRefused", onRefused);
  const count = (name: "maxConnections" | "maxConnectionsPerHost", fallback: number) =>
    checkLimit(OPERATION, name, checked[name], fallback, { lowest: 1, whole: true });
  const time = (name: "firstByteTimeout" | "idleTimeout") =>
    checkLimit(OPERATION, name, checked[name], Infinity, { lowest: 1 });
  const idleTimeout = time("idleTimeout");
  return {
    handler,
    signal,
    onError,
    onRefused,
    maxConnections: count("maxConnections", DEFAULT_MAX_CONNECTIONS),
    whenFull: readWhenFull(checked.whenFull),
    maxConnectionsPerHost: count("maxConnectionsPerHost", Infinity),
    firstByteTimeout: time("firstByteTimeout"),
    idleTimeout,
    closeLimits: {
      linger: checkLimit(OPERATION, "linger", checked.linger, DEFAULT_LINGER_MS),
      flushTimeout: idleTimeout === Infinity ? DEFAULT_FLUSH_TIMEOUT_MS : idleTimeout,
    },
    proxies: proxyProtocol === undefined ? undefined : readProxies(proxyProtocol),
  };
}

function checkCallback(name: string, callback: unknown): void {
  if (callback === undefined || typeof callback === "function") return;
  throw invalidInput(OPERATION, `${name} is ${describe(callback)}, not a function`);
}

function readWhenFull(whenFull: unknown): ServerSettings["whenFull"] {
  if (whenFull === undefined) return "wait";
  if (whenFull === "wait" || whenFull === "refuse") return whenFull;
  throw invalidInput(OPERATION, `whenFull is ${describe(whenFull)}, not "wait" or "refuse"`);
}

function readProxies(options: ProxyProtocolOptions): ProxyTrust {
  const { trust, timeout } = checkOptions<ProxyProtocolOptions>(OPERATION, options);
  const name = "proxyProtocol.timeout";
  return {
    trusted: new TrustList(OPERATION, trust),
    timeout: checkLimit(OPERATION, name, timeout, DEFAULT_HEADER_TIMEOUT_MS, { lowest: 1 }),
  };
}
