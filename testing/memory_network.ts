import {
  checkBoolean,
  checkOptions,
  checkWhole,
  describe,
  invalidInput,
  isArray,
  readArguments,
} from "../core/arguments.ts";
import { StreamConnection } from "../connection/stream_connection.ts";
import type { Connection, Network, SocketAddress } from "../types.ts";
import { checkProbability, type LinkSettings, readLinkSettings } from "./link_settings.ts";
import type { MemoryHost } from "./memory_host.ts";
import { MemoryStream } from "./memory_stream.ts";
import { MemoryWorld, type WorldSettings } from "./memory_world.ts";
import { RealClock } from "./real_clock.ts";
import type { Clock } from "./timeline.ts";

/** Settings of a network in memory. Those of {@linkcode LinkSettings} hold between any two hosts. */
export interface MemoryNetworkSettings extends LinkSettings {
  /**
   * The seed of all random choices, a whole number from 0 to 2⁵³ - 1.
   *
   * @default {a random one}
   */
  seed?: number;
  /**
   * Probability, from 0 to 1, that a read or write of a stream moves fewer bytes than it could. A segment is shorter
   * than it could be as often. Programs must not count on whole messages: the network shows if they do.
   *
   * @default {0.25}
   */
  partial?: number;
  /**
   * Sets if the network records what happens, for `trace`.
   *
   * @default {true}
   */
  trace?: boolean;
  /**
   * The local ports that a host gives to its connections and to sockets with port 0, both included. Few of them are
   * soon used up: `AddressNotAvailable`.
   *
   * @default {[32768, 60999]}
   */
  ports?: readonly [first: number, last: number];
}

/**
 * A network in memory, with hosts that programs run on. Disposing it drops the packets that are under way: without that,
 * a test in real time may end while a timer waits for them. In a simulation it does nothing.
 */
export interface MemoryNetwork extends Disposable {
  /** The seed of all random choices. */
  readonly seed: number;
  /**
   * The addresses behind names. Each is an IP address, or the name of another entry. `host` adds its own name; a name
   * that is not there is `HostNotFound`.
   */
  readonly names: Map<string, string | readonly string[]>;
  /**
   * Text with a line for everything that has arrived, in order. A line has the time in milliseconds, the two ends, and
   * what came: bytes with their number and a hash.
   */
  readonly trace: string;
  /**
   * Returns the functions of a program on a host, and adds the host at the first call. Its name is a host name that
   * others connect to; it also has an IPv4 and an IPv6 address, and 127.0.0.1 and ::1 of its own.
   *
   * The functions below take hosts that are there, by this name, by an address or by an entry of `names`: a name with
   * several hosts behind it means all of them. A host that is not there is `InvalidInput`, since it may be a typing
   * mistake. So is 127.0.0.1, which is not the address of one host.
   *
   * @throws {SocketError} `InvalidInput` if it is no host name.
   */
  host(name: string): Network;
  /**
   * Sets the direction from one host to another, which has the network's settings at first. Settings that are left out
   * stay as they are. What is under way already is not affected.
   *
   * @throws {SocketError} `InvalidInput` if a setting is out of range, or for a host that is not there.
   */
  link(from: string, to: string, settings: LinkSettings): void;
  /**
   * Separates hosts: nothing passes between one of `some` and one of `others`. `connect` times out after 127 seconds.
   * Bytes of streams are held, and come when the partition ends; their sender gives up after 924.6 seconds
   * (`ETIMEDOUT`), and a connection with `keepAlive` that only waits after 2 hours of silence and 675 seconds. Datagrams
   * are lost.
   *
   * @returns Ends the partition when it is disposed.
   * @throws {SocketError} `InvalidInput` for a host that is not there, or if both sides are the same host.
   */
  partition(some: string | readonly string[], others: string | readonly string[]): Disposable;
  /**
   * Freezes a host, as a virtual machine that is paused. Its peers see no acknowledgement and no end, as in a partition
   * from everybody. The code of its programs runs on, since it runs in this process.
   *
   * @returns Thaws the host when it is disposed.
   * @throws {SocketError} `InvalidInput` for a host that is not there.
   */
  freeze(host: string): Disposable;
  /**
   * Resets a connection, as a firewall does that has forgotten it. This end is broken at once, and the other one after
   * the bytes that are under way to it.
   *
   * @throws {SocketError} `InvalidInput` if it is no connection of a network in memory.
   */
  reset(connection: Connection<SocketAddress>): void;
  /**
   * Kills the programs of a host. Others see what the kernel does then: connections end, or are reset if bytes were
   * unread; ports refuse; datagrams are lost. If the host is frozen, they see nothing, and after it is thawed a reset
   * for everything that they send: a machine that lost power and was started again.
   *
   * The calls of its programs on open handles never settle, except that closing a handle ends them. So their code stops
   * in its tracks; stop its timers with a signal. The host can be used again at once, as after a restart.
   *
   * @throws {SocketError} `InvalidInput` for a host that is not there.
   */
  crash(host: string): void;
}

const DEFAULT_PARTIAL = 0.25;
const DEFAULT_PORTS = [32768, 60999] as const;
const LARGEST_SEED = Number.MAX_SAFE_INTEGER;
/** A random seed is below this: short enough to be typed. */
const RANDOM_SEEDS = 2 ** 32;

/**
 * Makes a network in memory. Programs that take a {@linkcode Network} run on its hosts unchanged: above the packets it
 * is the code of this package that they always use, and errors are those of Linux.
 *
 * By itself it runs in real time, which is good for tests without ports of the machine. In a `simulate` it has a time of
 * its own.
 *
 * @param settings The seed, and how packets travel.
 * @returns The network, without hosts.
 * @throws {SocketError} `InvalidInput` if a setting is out of range.
 *
 * @example
 * ```ts
 * import { accept, recvLine, send } from "jsr:@aivi/sockets";
 * import { memoryNetwork } from "jsr:@aivi/sockets/testing";
 * import { assertEquals } from "jsr:@std/assert";
 *
 * using network = memoryNetwork({ latency: 5 });
 * const [alice, bob] = [network.host("alice"), network.host("bob")];
 * await using listener = await bob.listen({ host: "bob", port: 7000 });
 * await using client = await alice.connect({ host: "bob", port: 7000 });
 * await using server = await accept(listener);
 * await send(client, new TextEncoder().encode("hello\n"));
 * assertEquals(await recvLine(server), "hello");
 * ```
 */
export function memoryNetwork(settings?: MemoryNetworkSettings): MemoryNetwork {
  return new NetworkInMemory("memoryNetwork", settings, new RealClock());
}

/** A network in memory, on the real clock or on that of a simulation. */
export class NetworkInMemory implements MemoryNetwork {
  readonly seed: number;
  readonly #world: MemoryWorld;
  readonly #clock: Clock;

  constructor(operation: string, settings: MemoryNetworkSettings | undefined, clock: Clock) {
    const checked = readNetworkSettings(operation, settings);
    this.seed = checked.seed;
    this.#clock = clock;
    this.#world = new MemoryWorld(checked, clock);
  }

  get names(): Map<string, string | readonly string[]> {
    return this.#world.names;
  }

  get trace(): string {
    return this.#world.trace.text;
  }

  get traceLines(): readonly string[] {
    return this.#world.trace.lines;
  }

  /** Says which calls wait, for the error of a deadlock. */
  waiting(): string[] {
    return this.#world.waiting();
  }

  host(name: string): Network {
    return this.#world.host("host", name).network;
  }

  link(from: string, to: string, settings: LinkSettings): void {
    const [senders, receivers] = [from, to].map((name) => this.#hosts("link", name));
    for (const sender of senders) {
      for (const receiver of receivers) this.#world.setLink(sender, receiver, settings);
    }
  }

  partition(some: string | readonly string[], others: string | readonly string[]): Disposable {
    const [one, other] = [some, others].map((names) => this.#hosts("partition", names));
    const labels = [one, other].map((hosts) => hosts.map(({ name }) => name).join(", "));
    if (new Set([...one, ...other]).size === 1 && one.length === other.length) {
      throw invalidInput("partition", `both sides are the host ${labels[0]}`);
    }
    this.#world.trace.note(`partition ${labels.join(" | ")}`);
    const end = this.#world.separate(one, other);
    return onDispose(() => {
      this.#world.trace.note(`partition over ${labels.join(" | ")}`);
      end();
    });
  }

  freeze(host: string): Disposable {
    const thaws = this.#hosts("freeze", host).map((frozen) => {
      this.#world.trace.note(`freeze ${frozen.name}`);
      const thaw = this.#world.freeze(frozen);
      return () => {
        this.#world.trace.note(`thaw ${frozen.name}`);
        thaw();
      };
    });
    return onDispose(() => thaws.forEach((thaw) => thaw()));
  }

  /** Returns the hosts behind names and addresses, each once, or throws `InvalidInput`. */
  #hosts(operation: string, names: string | readonly string[]): readonly MemoryHost[] {
    return readArguments(operation, () => {
      const list = typeof names === "string" || !isArray(names) ? [names] : names;
      return [...new Set(list.flatMap((name) => this.#world.findHosts(operation, name as string)))];
    });
  }

  reset(connection: Connection<SocketAddress>): void {
    const transport = StreamConnection.is(connection) ? connection.transport : undefined;
    if (!(transport instanceof MemoryStream)) {
      throw invalidInput("reset", "the argument is not a Connection of a network in memory");
    }
    transport.reset();
  }

  [Symbol.dispose](): void {
    // The clock of a simulation has the timers of the program as well.
    if (this.#clock instanceof RealClock) this.#clock.clear();
  }

  crash(host: string): void {
    for (const crashed of this.#hosts("crash", host)) {
      this.#world.trace.note(`crash ${crashed.name}`);
      crashed.stop();
    }
  }
}

/** Makes a `Disposable` that does something once. */
function onDispose(act: () => void): Disposable {
  let isOver = false;
  return {
    [Symbol.dispose](): void {
      if (isOver) return;
      isOver = true;
      act();
    },
  };
}

function readNetworkSettings(
  operation: string,
  settings: MemoryNetworkSettings | undefined,
): WorldSettings {
  return readArguments(operation, () => {
    const { seed, trace, partial, ports } = checkOptions(operation, settings);
    return {
      seed: seed === undefined
        ? Math.floor(Math.random() * RANDOM_SEEDS)
        : checkWhole(operation, "seed", seed, 0, LARGEST_SEED),
      isTraced: checkBoolean(operation, "trace", trace, true),
      partial: checkProbability(operation, "partial", partial, DEFAULT_PARTIAL),
      ports: checkPorts(operation, ports),
      link: readLinkSettings(operation, settings),
    };
  });
}

function checkPorts(operation: string, ports: unknown): readonly [number, number] {
  if (ports === undefined) return DEFAULT_PORTS;
  if (!isArray(ports) || ports.length !== 2) {
    throw invalidInput(operation, `ports is ${describe(ports)}, not [first, last]`);
  }
  const first = checkWhole(operation, "the first of ports", ports[0], 1, 65535);
  return [first, checkWhole(operation, "the last of ports", ports[1], first, 65535)];
}
