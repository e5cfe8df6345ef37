import { type Address, parseAddress, type ServeOptions } from "../../../mod.ts";
import { Child } from "./child.ts";

/** Figures of a server under load. */
export interface Figures {
  readonly active: number;
  readonly accepted: number;
  readonly refused: number;
  /** What `onError` heard of, by kind. */
  readonly ended: Readonly<Record<string, number>>;
  readonly descriptors: number;
  /** Bytes of memory, after garbage was collected. */
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
  const { child, said } = await Child.start("server", kind, JSON.stringify(options));
  return {
    address: parseAddress(said),
    figures: () => child.ask(),
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}

/** Clients in a process of their own, which all have connected and said their first. */
export interface Crowd extends AsyncDisposable {
  /** How many of them are still there. */
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

/** Waits until the server says so. */
export async function figuresWhen(
  server: LoadServer,
  condition: (figures: Figures) => boolean,
): Promise<Figures> {
  for (let tries = 0; tries < 600; tries++) {
    const figures = await server.figures();
    if (condition(figures)) return figures;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`never: ${condition}, but ${JSON.stringify(await server.figures())}`);
}

/** Milliseconds, as a reader of figures wants them. */
export function latencies(all: readonly number[]): string {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1].toFixed(2);
  return `median ${at(0.5)} ms, 99th percentile ${at(0.99)} ms, longest ${at(1)} ms`;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}
