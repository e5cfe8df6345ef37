import {
  checkBoolean,
  checkLimit,
  checkOptions,
  checkWhole,
  describe,
  invalidInput,
  readArguments,
} from "../core/arguments.ts";
import { DEFAULT_SEND_QUEUE_LIMIT_BYTES } from "../connection/stream_connection.ts";
import { isAbstract } from "../core/unix_path.ts";
import type { ListenSettings, TcpSettings, UnixListenSettings } from "../runtime/backend.ts";
import type { ListenOptions, TcpOptions, UnixListenOptions } from "../types.ts";

/** Checked options of `connect` or `listen`. */
export interface CheckedOptions<Settings> {
  /** The part for the backend. */
  readonly settings: Settings;
  /** Bytes of sends that may wait in each connection. */
  readonly sendQueueLimit: number;
}

/** Reads the options of `connect`, but for `signal` and `timeout`. */
export function readTcpOptions(
  operation: string,
  options: TcpOptions | undefined,
): CheckedOptions<TcpSettings> {
  return readArguments(operation, () => {
    const { noDelay, keepAlive, sendQueueLimit } = checkOptions(operation, options);
    return {
      settings: {
        noDelay: checkBoolean(operation, "noDelay", noDelay, true),
        keepAlive: checkBoolean(operation, "keepAlive", keepAlive, true),
      },
      sendQueueLimit: checkLimit(
        operation,
        "sendQueueLimit",
        sendQueueLimit,
        DEFAULT_SEND_QUEUE_LIMIT_BYTES,
      ),
    };
  });
}

/** Reads the options of `listen` for a path. */
export function readUnixListenOptions(
  operation: string,
  path: string,
  options: UnixListenOptions | undefined,
): CheckedOptions<UnixListenSettings> {
  const { sendQueueLimit } = readTcpOptions(operation, options);
  return readArguments(operation, () => {
    const { mode, replaceStale } = options ?? {};
    checkIsLeftOut(operation, options, ["backlog", "reusePort"], "a path of a Unix socket");
    if (mode !== undefined && isAbstract(path)) {
      throw invalidInput(operation, "mode is for a socket file, and an abstract name has none");
    }
    return {
      settings: {
        mode: mode === undefined ? undefined : checkMode(operation, mode),
        replaceStale: checkBoolean(operation, "replaceStale", replaceStale, false),
      },
      sendQueueLimit,
    };
  });
}

/** Returns a mode, or throws `InvalidInput`: people write modes in octal, and 600 is a number of another kind. */
function checkMode(operation: string, mode: unknown): number {
  if (Number.isInteger(mode) && mode as number >= 0 && mode as number <= 0o777) {
    return mode as number;
  }
  const digits = typeof mode === "object" ? undefined : /^(?:0o?)?([0-7]{3})$/.exec(String(mode));
  const reason = `mode is ${describe(mode)}, not a whole number from 0 to 0o777, such as ` +
    `0o${digits?.[1] ?? 600}`;
  throw invalidInput(operation, reason);
}

/** Throws `InvalidInput` if an option is given that the address cannot have. */
function checkIsLeftOut(
  operation: string,
  options: object | undefined,
  names: readonly string[],
  of: string,
): void {
  const given = names.find((name) => options?.[name as keyof typeof options] !== undefined);
  if (given !== undefined) throw invalidInput(operation, `${given} cannot be set for ${of}`);
}

/** Reads the options of `listen`. */
export function readListenOptions(
  operation: string,
  options: ListenOptions | undefined,
): CheckedOptions<ListenSettings> {
  const { settings, sendQueueLimit } = readTcpOptions(operation, options);
  return readArguments(operation, () => {
    const { backlog, reusePort } = options ?? {};
    checkIsLeftOut(operation, options, ["mode", "replaceStale"], "a port");
    return {
      settings: {
        ...settings,
        backlog: backlog === undefined
          ? undefined
          : checkWhole(operation, "backlog", backlog, 1, 2 ** 31 - 1),
        reusePort: checkBoolean(operation, "reusePort", reusePort, false),
      },
      sendQueueLimit,
    };
  });
}
