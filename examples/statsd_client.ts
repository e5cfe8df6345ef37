/**
 * A statsd client that its program never waits for: calls return at once, and what cannot be sent is counted.
 *
 *     const stats = new StatsdClient({ host: "stats.example.com", port: 8125 }, { prefix: "shop." });
 *     stats.count("orders");
 *     stats.time("query", 12.5);
 *
 * From the command line it sends what it is given:
 *
 *     deno run --allow-net statsd_client.ts localhost:8125 orders:1|c query:12.5|ms
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { lookup } from "node:dns/promises";
import { type Address, bindUdp, closeUdp, sendTo, type UdpSocket } from "../mod.ts";
import { exitWithProblem, readAddress } from "./arguments.ts";

export interface StatsdOptions {
  /** Begins the name of each metric. Default: nothing. */
  readonly prefix?: string;
  /**
   * The most bytes of a datagram, which holds many metrics. A larger one than the path takes is cut up by a router, and
   * all of it is lost with any part. Default: 1,432, for Ethernet and a tunnel or two; 8,932 for jumbo frames.
   */
  readonly maxBytes?: number;
  /** Milliseconds after which metrics leave that do not fill a datagram. Default: 1,000. */
  readonly flushInterval?: number;
  /** Milliseconds after which the name is resolved again. Default: 60,000. */
  readonly resolveInterval?: number;
  /** Gives the address behind a name. Default: the system's resolver. */
  readonly resolve?: (host: string) => Promise<string>;
}

/** Metrics that wait for the first answer of the name server, or for the network (bytes). */
const QUEUE_LIMIT_BYTES = 1024 * 1024;
/** A lookup that fails is repeated sooner than one that succeeds. */
const RETRY_MS = 1000;
/** These bytes would end a name or a metric. */
const UNSAFE = /[:|@#\s]/g;

const encoder = new TextEncoder();

/** Sends metrics. No method waits or throws for anything that the network does. */
export class StatsdClient implements AsyncDisposable {
  /** Metrics that were not sent: the queue was full, the system refused them, or they are too long. */
  dropped = 0;
  readonly #server: Address;
  readonly #options: Required<StatsdOptions>;
  readonly #socket: Promise<UdpSocket | undefined>;
  /** The server's address; none until the first lookup has succeeded. */
  #target: Address | undefined;
  #lookupDue = 0;
  #lookup: Promise<void> | undefined;
  /** The datagram that is being filled. */
  #batch: string[] = [];
  #batchBytes = 0;
  /** Full datagrams that wait for the socket or the address. */
  #waiting: string[][] = [];
  #waitingBytes = 0;
  #sending: Promise<void> | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  #closed = false;

  constructor(server: Address, options: StatsdOptions = {}) {
    this.#server = server;
    this.#options = {
      prefix: "",
      maxBytes: 1432,
      flushInterval: 1000,
      resolveInterval: 60_000,
      resolve: async (host) => (await lookup(host)).address,
      ...options,
    };
    // Bound to `::` it sends to both families. It may fail on a machine without IPv6.
    this.#socket = bindUdp({ host: "::", port: 0 }, { sendQueueLimit: QUEUE_LIMIT_BYTES })
      .catch(() => bindUdp({ host: "0.0.0.0", port: 0 }, { sendQueueLimit: QUEUE_LIMIT_BYTES }))
      .catch(() => undefined);
    this.#timer = setInterval(() => this.flush(), this.#options.flushInterval);
    // Statistics must not keep a program alive that has nothing else to do.
    Deno.unrefTimer(this.#timer);
  }

  /** Adds to a counter. */
  count(name: string, by = 1): void {
    this.#add(name, by, "c");
  }

  /** Sets a value that goes up and down. A negative one would be taken for a difference, so a zero goes first. */
  gauge(name: string, value: number): void {
    if (value < 0) this.#add(name, 0, "g");
    this.#add(name, value, "g");
  }

  /** Adds a duration. */
  time(name: string, milliseconds: number): void {
    this.#add(name, milliseconds, "ms");
  }

  /** Hands what was collected to the system, as far as it takes it. */
  flush(): void {
    if (this.#batch.length > 0) {
      if (this.#waitingBytes + this.#batchBytes > QUEUE_LIMIT_BYTES) {
        this.dropped += this.#batch.length;
      } else {
        this.#waiting.push(this.#batch);
        this.#waitingBytes += this.#batchBytes;
      }
      this.#batch = [];
      this.#batchBytes = 0;
    }
    if (this.#waiting.length > 0) this.#sending ??= this.#send();
  }

  /** Sends the rest, for at most a second, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    clearInterval(this.#timer);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, 1000);
    await Promise.race([this.#sending, late.promise]);
    clearTimeout(timer);
    this.#dropWaiting();
    const socket = await this.#socket;
    if (socket !== undefined) await closeUdp(socket);
  }

  #add(name: string, value: number, type: string): void {
    const line = `${this.#options.prefix}${name.replaceAll(UNSAFE, "_")}:${value}|${type}`;
    const length = encoder.encode(line).length;
    const { maxBytes } = this.#options;
    if (this.#closed || !Number.isFinite(value) || length > maxBytes) {
      this.dropped += 1;
      return;
    }
    // A line break goes between two metrics.
    if (this.#batchBytes > 0 && this.#batchBytes + 1 + length > maxBytes) this.flush();
    this.#batchBytes += length + (this.#batch.length > 0 ? 1 : 0);
    this.#batch.push(line);
  }

  /** Sends all datagrams that wait, one after the other. It never rejects. */
  async #send(): Promise<void> {
    const socket = await this.#socket;
    await this.#resolve();
    while (this.#target !== undefined && socket !== undefined && this.#waiting.length > 0) {
      const lines = this.#waiting.shift()!;
      const bytes = encoder.encode(lines.join("\n"));
      this.#waitingBytes -= bytes.length;
      try {
        await sendTo(socket, this.#target, bytes);
      } catch {
        this.dropped += lines.length;
      }
    }
    if (socket === undefined) this.#dropWaiting();
    this.#sending = undefined;
  }

  /**
   * Looks the name up if that is due. Only the first lookup makes datagrams wait: later ones go on beside them, and the
   * old address stays if they fail.
   */
  async #resolve(): Promise<void> {
    if (performance.now() >= this.#lookupDue) {
      this.#lookupDue = Infinity;
      this.#lookup = this.#look();
    }
    if (this.#target === undefined) await this.#lookup;
  }

  async #look(): Promise<void> {
    const { host, port } = this.#server;
    let again = this.#options.resolveInterval;
    try {
      this.#target = { host: await this.#options.resolve(host), port };
    } catch {
      again = RETRY_MS;
    }
    this.#lookupDue = performance.now() + again;
  }

  #dropWaiting(): void {
    this.dropped += this.#waiting.reduce((sum, lines) => sum + lines.length, 0);
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

if (import.meta.main) {
  const [where, ...metrics] = Deno.args;
  if (where === undefined || metrics.length === 0) {
    exitWithProblem("usage: statsd_client.ts HOST:PORT NAME:VALUE|TYPE …");
  }
  const stats = new StatsdClient(readAddress(where));
  for (const metric of metrics) {
    const [, name, value, type] = /^([^:|]+):(-?[\d.]+)\|(c|g|ms)$/.exec(metric) ?? [];
    if (type === undefined) {
      exitWithProblem(`a metric is NAME:VALUE|TYPE with the type c, g or ms, not "${metric}"`);
    }
    if (type === "c") stats.count(name, Number(value));
    else if (type === "g") stats.gauge(name, Number(value));
    else stats.time(name, Number(value));
  }
  await stats[Symbol.asyncDispose]();
  if (stats.dropped === 0) console.log(`sent ${metrics.length} metrics`);
  else {
    console.error(`${stats.dropped} of ${metrics.length} metrics were not sent`);
    Deno.exit(1);
  }
}
