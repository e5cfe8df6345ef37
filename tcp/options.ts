import {
  checkBoolean,
  checkLimit,
  checkOptions,
  checkWhole,
  readArguments,
} from "../core/arguments.ts";
import { DEFAULT_SEND_QUEUE_LIMIT } from "../connection/stream_connection.ts";
import type { ListenSettings, TcpSettings } from "../runtime/backend.ts";
import type { ListenOptions, TcpOptions } from "../types.ts";

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
        DEFAULT_SEND_QUEUE_LIMIT,
      ),
    };
  });
}

/** Reads the options of `listen`. */
export function readListenOptions(
  operation: string,
  options: ListenOptions | undefined,
): CheckedOptions<ListenSettings> {
  const { settings, sendQueueLimit } = readTcpOptions(operation, options);
  return readArguments(operation, () => {
    const { backlog, reusePort } = options ?? {};
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
