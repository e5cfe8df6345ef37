import { type Address, parseAddress, type ServeOptions } from "../../../mod.ts";
import { Child } from "./child.ts";

/** Figures of a server under load. */
export interface Figures {
  readonly active: number;
  readonly accepted: number;
  readonly refused: number;
  /** The number of errors that `onError` got, by kind. */
  readonly ended: Readonly<Record<string, number>>;
  readonly descriptors: number;
  /** The memory after garbage collection (bytes). */
  readonly rss: number;
}

/** A server in a process of its own. */
export interface LoadServer extends AsyncDisposable {
  readonly address: Address;
  figures(): Promise<Figures>;
}

export async function startServer(
  kind: "echo" | "lines" | "frames" | "silent lines",
  options: ServeOptions,
): Promise<LoadServer> {
  const { child, firstLine } = await Child.start("server", kind, JSON.stringify(options));
  return {
    address: parseAddress(firstLine),
    figures: () => child.ask(),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

/** Clients in a process of their own. All have connected and sent their first bytes. */
export interface Crowd extends AsyncDisposable {
  /** Returns the number of open connections. */
  open(): Promise<number>;
}

export async function startCrowd(
  { host, port }: Address,
  count: number,
  kind: "idle" | "trickling" | "stalling" | "flooding",
): Promise<Crowd> {
  const { child } = await Child.start("clients", host, `${port}`, `${count}`, kind);
  return {
    open: () => child.ask(),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

/** Waits until the server's figures meet a condition, and returns them. */
export async function figuresWhen(
  server: LoadServer,
  condition: (figures: Figures) => boolean,
): Promise<Figures> {
  for (let tries = 0; tries < 600; tries++) {
    const figures = await server.figures();
    if (condition(figures)) return figures;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${condition} was never met, but ${JSON.stringify(await server.figures())}`);
}

/** Summarises times (ms) by their median, 99th percentile and maximum. */
export function latencies(all: readonly number[]): string {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1].toFixed(2);
  return `median ${at(0.5)} ms, 99th percentile ${at(0.99)} ms, longest ${at(1)} ms`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}
