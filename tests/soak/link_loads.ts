import { equals } from "@std/bytes";
import {
  abort,
  type Connection,
  disconnectSignal,
  framed,
  keepConnected,
  type Link,
  type LinkContext,
  listen,
  recvFrame,
  sendFrame,
  serve,
  type Server,
  SocketError,
} from "../../mod.ts";
import type { Random } from "../support/random.ts";
import type { Ledger } from "./ledger.ts";
import { lasting } from "./resources.ts";
import { codec, type Load, numbered, pause } from "./world.ts";

const { signal } = lasting;
const HELLO = new Uint8Array([7, 7, 7]);
const HANDSHAKE_TIMEOUT_MS = 250;
/** A frame that does not come back over this many connections is lost (each connection may be a victim). */
const MOST_TRIES = 50;

/** A server of frames that a fault can replace, silence or confuse. It keeps its port. */
class Victim {
  #server: Server;
  /** The treatment of new connections. */
  mode: "echo" | "silent" | "garbage" = "echo";
  /** Connections that are open. */
  readonly #open = new Set<Connection>();
  readonly #random: Random;

  private constructor(server: Server, random: Random) {
    this.#server = server;
    this.#random = random;
  }

  static async start(random: Random): Promise<Victim> {
    const victim: Victim = new Victim(
      serve(
        await listen({ host: "127.0.0.1", port: 0 }),
        (connection) => victim.#answer(connection),
        {
          onError: () => {},
        },
      ),
      random,
    );
    return victim;
  }

  get address(): Server["address"] {
    return this.#server.address;
  }

  async #answer(connection: Connection): Promise<void> {
    this.#open.add(connection);
    try {
      const stream = framed(connection, codec);
      const { mode } = this;
      for await (const frame of stream) {
        if (mode === "echo") await sendFrame(stream, frame);
        if (mode === "garbage") await sendFrame(stream, this.#random.bytes(20));
      }
    } finally {
      this.#open.delete(connection);
    }
  }

  breakAll(): void {
    this.#open.forEach(abort);
  }

  /** Is gone for some time, and comes back on its port. */
  async restart(ms: number): Promise<void> {
    const { address } = this;
    await this.#server.shutdown({ timeout: 0 });
    await pause(ms);
    const listener = await listen(address);
    this.#server = serve(listener, (connection) => this.#answer(connection), { onError: () => {} });
  }

  async end(): Promise<void> {
    await this.#server.shutdown({ timeout: 0 });
  }
}

/** Says hello, is ready after the echo of that, and lasts until the server has left. */
async function session(connection: Connection, { ready, signal }: LinkContext): Promise<void> {
  const stream = framed(connection, codec);
  await sendFrame(stream, HELLO, { signal });
  const welcome = await recvFrame(stream, { signal });
  if (welcome === null || !equals(welcome, HELLO)) throw new Error("no welcome");
  ready();
  await new Promise((resolve) => {
    for (const end of [signal, disconnectSignal(connection)]) {
      if (end.aborted) resolve(undefined);
      else end.addEventListener("abort", resolve, { once: true });
    }
  });
}

/** Starts a link, and notes in the ledger how long it is down each time. */
function start(victim: Victim, ledger: Ledger): Link {
  let downSince: number | undefined;
  return keepConnected(victim.address, session, {
    signal,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    stableAfter: 100,
    backoff: { first: 5, longest: 100 },
    onChange(state) {
      if (state === "ready") {
        ledger.counts.sessions++;
        if (downSince !== undefined) ledger.linkWasDown(performance.now() - downSince);
        downSince = undefined;
      } else if (state !== "ended") downSince ??= performance.now();
    },
  });
}

const FAULTS: Readonly<Record<string, (victim: Victim, link: Link, random: Random) => unknown>> = {
  "a link's server restarts": (victim, _, random) => victim.restart(random.below(200)),
  "a link's server breaks its connections": (victim) => victim.breakAll(),
  "a link's server hangs in the handshake": (victim, _, random) =>
    misbehave(victim, "silent", random),
  "a link's server sends garbage": (victim, _, random) => misbehave(victim, "garbage", random),
  "a link's program aborts the connection": async (_, link) => abort(await link.up({ signal })),
  "nothing": () => {},
};

async function misbehave(victim: Victim, mode: Victim["mode"], random: Random): Promise<void> {
  victim.mode = mode;
  victim.breakAll();
  await pause(random.below(2 * HANDSHAKE_TIMEOUT_MS));
  victim.mode = "echo";
}

/** Keeps a link through faults of its server. Each frame must come back over some connection of it. */
export const keptClient: Load = async (name, { gate, ledger }, random) => {
  const victim = await Victim.start(random);
  let link = start(victim, ledger);
  const names = Object.keys(FAULTS);
  for (let number = 0; await gate.pass(name);) {
    const fault = names[random.below(names.length)];
    const done = FAULTS[fault](victim, link, random);
    for (const last = number + 5; number < last; number++) {
      await exchange(name, link, numbered(number, random), ledger);
    }
    await done;
    ledger.fault(fault);
    if (random.below(20) === 0) {
      await link.close();
      link = start(victim, ledger);
    }
    // The resources are counted while it is ready. It may have broken again meanwhile.
    await exchange(name, link, HELLO, ledger);
    await pause(20 + random.below(30));
  }
  await link.close();
  await victim.end();
};

/** Sends a frame until it comes back. Every frame is its own request, so that it may be repeated. */
async function exchange(
  name: string,
  link: Link,
  frame: Uint8Array,
  ledger: Ledger,
): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const connection = await link.up({ signal, timeout: 30_000 });
    try {
      const stream = framed(connection, codec);
      await sendFrame(stream, frame, { signal });
      const back = await recvFrame(stream, { signal, timeout: 5000 });
      if (back !== null && equals(back, frame)) {
        ledger.counts.frames++;
        ledger.counts.bytes += frame.length;
        return;
      }
      if (back !== null) break;
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
    }
    abort(connection);
    await pause(1);
  }
  ledger.fail(`${name}: a frame did not come back`);
}
