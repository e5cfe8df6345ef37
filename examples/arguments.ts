/** Reads the arguments of the examples. A wrong one gives one line and exit code 2, not a stack trace or a default. */
import process from "node:process";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { type Address, parseAddress, SocketError } from "../mod.ts";

/** Ends the program after it has printed what is wrong with its arguments. */
export function exitWithProblem(problem: string): never {
  console.error(problem);
  process.exit(2);
}

/** Ends the program with the message of a `SocketError`. Any other error is a mistake in the program, and is thrown. */
export function exitWithError(error: unknown): never {
  if (!(error instanceof SocketError)) throw error;
  exitWithProblem(error.message);
}

/** The arguments of the command line, on Deno, Node and Bun. */
export function commandArguments(): string[] {
  return process.argv.slice(2);
}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** Reads the options of the command line, and accepts nothing else there. */
export function readOptions<T extends Options>(options: T) {
  return parseCommand(options, false).values;
}

/** Reads the options of the command line and the arguments between them. */
export function readCommand<T extends Options>(options: T) {
  return parseCommand(options, true);
}

function parseCommand<T extends Options>(options: T, allowPositionals: boolean) {
  try {
    return parseArgs({ args: commandArguments(), options, strict: true, allowPositionals });
  } catch (error) {
    exitWithProblem((error as Error).message.split("\n")[0]);
  }
}

/** Reads a port; 0 lets the system choose. */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (port <= 65535) return port;
  exitWithProblem(`a port is a number from 0 to 65535, not "${text}"`);
}

/** Reads the address that a server listens on, from `--host` and `--port`. */
export function readListenAddress(defaultPort: string): Address {
  const { host, port } = readOptions({
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: defaultPort },
  });
  return { host, port: parsePort(port) };
}

/** Reads an address such as `127.0.0.1:7777`. */
export function readAddress(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    exitWithError(error);
  }
}
