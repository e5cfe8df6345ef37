/** What the examples are told: a mistake in it is one line and exit code 2, not a stack trace or a default. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { type Address, parseAddress, SocketError } from "../mod.ts";

/** Ends the program, which was told what it cannot do. */
export function refuse(problem: string): never {
  console.error(problem);
  Deno.exit(2);
}

/** Ends the program for what this package says that it cannot do; what else is wrong is a mistake in the program. */
export function refused(error: unknown): never {
  if (!(error instanceof SocketError)) throw error;
  refuse(error.message);
}

/** The options of the command line, and nothing else that is there. */
export function readOptions<T extends NonNullable<ParseArgsConfig["options"]>>(options: T) {
  try {
    return parseArgs({ args: Deno.args, options, strict: true, allowPositionals: false }).values;
  } catch (error) {
    refuse((error as Error).message.split("\n")[0]);
  }
}

export function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65535) return port;
  refuse(`a port is a number from 0 to 65535, not "${text}"`);
}

/** Where a server listens, by `--host` and `--port`. */
export function readListenAddress(defaultPort: string): Address {
  const { host, port } = readOptions({
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: defaultPort },
  });
  return { host, port: portOf(port) };
}

export function addressOf(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    refused(error);
  }
}
