import { checkLimit, checkOptions, describe, invalidInput } from "../core/arguments.ts";
import { checkSignal } from "../core/cancellation.ts";
import { SocketError, type SocketErrorKind } from "../errors.ts";
import type {
  BackoffOptions,
  Connection,
  Endpoints,
  KeepConnectedOptions,
  LinkSession,
  SocketAddress,
} from "../types.ts";
import { EndpointSource } from "./endpoints.ts";
import type { BackoffSettings } from "./reconnect_pause.ts";

const OPERATION = "keepConnected";
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;
const DEFAULT_FIRST_PAUSE_MS = 100;
const DEFAULT_FACTOR = 2;
const DEFAULT_LONGEST_PAUSE_MS = 30_000;
const DEFAULT_STABLE_AFTER_MS = 5000;

/** Kinds of errors that no further attempt would change, unless the error itself says so. */
const HOPELESS: ReadonlySet<SocketErrorKind> = new Set([
  "InvalidInput",
  "PermissionDenied",
  "Unsupported",
  "CertificateRejected",
]);

/** Opens a connection to an endpoint. */
export type Connect = (
  endpoint: SocketAddress,
  options: { readonly signal: AbortSignal },
) => Connection<SocketAddress> | Promise<Connection<SocketAddress>>;

/** The arguments of a link, checked and complete. Times are in milliseconds. */
export interface LinkSettings {
  readonly endpoints: EndpointSource;
  readonly session: LinkSession<SocketAddress>;
  readonly connect: Connect;
  readonly handshakeTimeout: number;
  readonly backoff: BackoffSettings;
  readonly stableAfter: number;
  readonly attempts: number;
  /** Decides if the link goes on after an error. Its answer is not checked yet. */
  readonly retry: (error: unknown, byDefault: boolean) => unknown;
  readonly onChange: KeepConnectedOptions<SocketAddress>["onChange"];
  readonly signal: AbortSignal | undefined;
}

/** Reads and checks the arguments of `keepConnected`; must be called within `readArguments`. */
export function readLinkOptions(
  endpoints: Endpoints<SocketAddress>,
  session: LinkSession<SocketAddress>,
  options: KeepConnectedOptions<SocketAddress> | undefined,
  connectByDefault: Connect,
): LinkSettings {
  const source = new EndpointSource(endpoints);
  if (typeof session !== "function") {
    throw invalidInput(OPERATION, `the session is ${describe(session)}, not a function`);
  }
  const checked = checkOptions<KeepConnectedOptions<SocketAddress>>(OPERATION, options);
  const { connect = connectByDefault, retry = isHopeful, onChange, signal } = checked;
  checkCallback("connect", connect);
  checkCallback("retry", retry);
  if (onChange !== undefined) checkCallback("onChange", onChange);
  if (signal !== undefined) checkSignal(OPERATION, signal);
  const time = (name: "handshakeTimeout" | "stableAfter", fallback: number, lowest: number) =>
    checkLimit(OPERATION, name, checked[name], fallback, { lowest });
  return {
    endpoints: source,
    session,
    connect,
    retry,
    onChange,
    signal,
    handshakeTimeout: time("handshakeTimeout", DEFAULT_HANDSHAKE_TIMEOUT_MS, 1),
    backoff: readBackoff(checked.backoff),
    stableAfter: time("stableAfter", DEFAULT_STABLE_AFTER_MS, 0),
    attempts: checkLimit(OPERATION, "attempts", checked.attempts, Infinity, {
      lowest: 1,
      whole: true,
    }),
  };
}

/** The answer of `retry` if the caller has none. */
export function isHopeful(error: unknown): boolean {
  return !(error instanceof SocketError && HOPELESS.has(error.kind) && !error.retryable);
}

function checkCallback(name: string, callback: unknown): void {
  if (typeof callback === "function") return;
  throw invalidInput(OPERATION, `${name} is ${describe(callback)}, not a function`);
}

function readBackoff(options: BackoffOptions | undefined): BackoffSettings {
  if (options !== undefined && (typeof options !== "object" || options === null)) {
    throw invalidInput(OPERATION, `backoff is ${describe(options)}, not an object`);
  }
  const { first, factor, longest } = checkOptions<BackoffOptions>(OPERATION, options);
  return {
    first: checkFinite("backoff.first", first, DEFAULT_FIRST_PAUSE_MS, 0),
    factor: checkFinite("backoff.factor", factor, DEFAULT_FACTOR, 1),
    longest: checkFinite("backoff.longest", longest, DEFAULT_LONGEST_PAUSE_MS, 0),
  };
}

/** Returns a finite number that is not below `lowest`, or throws `InvalidInput`. A pause must come to an end. */
function checkFinite(name: string, value: unknown, fallback: number, lowest: number): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= lowest && value < Infinity) return value;
  const reason = `${name} is ${describe(value)}, not a finite number of at least ${lowest}`;
  throw invalidInput(OPERATION, reason);
}
