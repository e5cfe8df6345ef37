import { equals } from "@std/bytes";
import {
  abort,
  type Connection,
  disconnectSignal,
  framed,
  type FramedConnection,
  heartbeat,
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
/** A frame that comes back without being asked for: a sign of life. */
const PING = new Uint8Array();
const HANDSHAKE_TIMEOUT_MS = 250;
/** Silence before a link asks for a sign of life, and again until it gives its server up (ms). */
const HEARTBEAT_MS = 60;
/** The same for a server, whose links are never silent for that long. */
const SERVER_HEARTBEAT_MS = 4 * HEARTBEAT_MS;
/** A frame that does not come back over this many connections is lost (each connection may be a victim). */
const MOST_TRIES = 50;

/** Keeps watch over a peer that answers frames, or sends some. */
function watch(stream: FramedConnection<Uint8Array>, ms: number): Disposable {
  const ping = () => sendFrame(stream, PING);
  return heartbeat(stream.connection, { interval: ms, timeout: ms, ping });
}

/** A server of frames that a fault can replace, silence or confuse. It keeps its port. */
class Victim {
  #server: Server;
  /** The treatment of new connections. */
  mode: "echo" | "silent" | "garbage" = "echo";
  /** Connections that are open. */
  readonly #open = new Set<Connection>();
  readonly #random: Random;
  /** Resolves when the server goes on, after it has been frozen. */
  #thawed = Promise.resolve();

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
      using _heart = watch(stream, SERVER_HEARTBEAT_MS);
      for await (const frame of stream) {
        await this.#thawed;
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

  /** Accepts and answers nothing for some time, and breaks no connection. */
  async freeze(ms: number): Promise<void> {
    this.#thawed = pause(ms);
    await this.#thawed;
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
  using _heart = watch(stream, HEARTBEAT_MS);
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
  "a link's server freezes": (victim, _, random) =>
    victim.freeze(2 * HEARTBEAT_MS + random.below(4 * HEARTBEAT_MS)),
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
      const back = await recvAnswer(stream);
      if (back !== null && equals(back, frame)) {
        ledger.counts.frames++;
        ledger.counts.bytes += frame.length;
        return;
      }
      if (back !== null) break;
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      if (/sent nothing for/.test(error.reason)) ledger.counts.heartbeats++;
    }
    abort(connection);
    await pause(1);
  }
  ledger.fail(`${name}: a frame did not come back`);
}

/** Receives a frame that is no sign of life. */
async function recvAnswer(stream: FramedConnection<Uint8Array>): Promise<Uint8Array | null> {
  for (;;) {
    const frame = await recvFrame(stream, { signal, timeout: 5000 });
    if (frame === null || frame.length > 0) return frame;
  }
}
