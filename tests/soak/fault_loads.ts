import { equals } from "@std/bytes";
import { once } from "node:events";
import { connect as nodeConnect, type Socket } from "node:net";
import {
  abort,
  accept,
  close,
  closeListener,
  closeWrite,
  connect,
  type Connection,
  listen,
  type Listener,
  recv,
  recvExactly,
  recvFrame,
  send,
  sendFrame,
  type Server,
  SocketError,
} from "../../mod.ts";
import type { Random } from "../support/random.ts";
import type { Ledger } from "./ledger.ts";
import { lasting } from "./resources.ts";
import {
  codec,
  dial,
  dialFramed,
  FRAME_LIMIT,
  hangUp,
  type Load,
  numbered,
  pause,
  type World,
} from "./world.ts";

const { signal } = lasting;

type Fault = (world: World, random: Random) => Promise<void>;

/** Makes a peer that can reset. `node:net` sets SO_LINGER (1, 0), but the runtime always sends FIN. */
async function resettingPeer({ address: { host, port } }: Server): Promise<Socket> {
  const peer = nodeConnect({ host, port });
  peer.on("error", () => {});
  await once(peer, "connect");
  return peer;
}

async function resetPeer(peer: Socket): Promise<void> {
  const closed = once(peer, "close");
  peer.resetAndDestroy();
  await closed;
}

function encoded(frame: Uint8Array): Uint8Array {
  return new Uint8Array([codec.encode(frame)].flat().flatMap((piece) => [...piece as Uint8Array]));
}

/** Receives until the end of stream or a reset. Any other error is a failure. */
async function untilOver(connection: Connection): Promise<void> {
  try {
    while (await recv(connection, { signal, timeout: 10_000 }) !== null);
  } catch (error) {
    const { kind } = error as SocketError;
    if (kind !== "ConnectionReset" && kind !== "BrokenPipe") throw error;
  }
}

const FAULTS: Readonly<Record<string, Fault>> = {
  async "a reset inside a frame"({ echo }, random) {
    const peer = await resettingPeer(echo);
    const frame = encoded(numbered(1, random));
    await new Promise((resolve) => peer.write(frame.subarray(0, frame.length - 1), resolve));
    await pause(random.below(3));
    await resetPeer(peer);
  },

  async "a reset at once"({ echo }) {
    await resetPeer(await resettingPeer(echo));
  },

  async "a reset with answers unread"({ echo }, random) {
    const peer = await resettingPeer(echo);
    peer.pause();
    for (let count = 0; count < 5; count++) peer.write(encoded(numbered(count, random)));
    await pause(3);
    await resetPeer(peer);
  },

  async "garbage"({ echo }, random) {
    const connection = await dial(echo);
    await send(connection, random.bytes(1 + random.below(2000))).catch(() => {});
    await closeWrite(connection).catch(() => {});
    await untilOver(connection);
    await hangUp(connection);
  },

  async "an oversize frame"({ echo, ledger }, random) {
    const connection = await dial(echo);
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, FRAME_LIMIT + 1 + random.below(2 ** 31));
    await send(connection, new Uint8Array(length.buffer));
    // The header alone makes the server refuse the frame, before its content arrives.
    if (await recv(connection, { timeout: 10_000 }) !== null) {
      ledger.fail("an answer to an oversize frame");
    }
    await hangUp(connection);
  },

  async "an abort inside a frame"({ echo }, random) {
    const connection = await dial(echo);
    const frame = encoded(numbered(1, random));
    await send(connection, frame.subarray(0, random.below(frame.length)));
    abort(connection);
  },

  async "a half-close before the answers"({ echo, ledger }, random) {
    const stream = await dialFramed(echo);
    const frames = Array.from({ length: 10 }, (_, number) => numbered(number, random));
    for (const frame of frames) await sendFrame(stream, frame);
    await closeWrite(stream.connection);
    let came = 0;
    while (await recvFrame(stream, { signal, timeout: 10_000 }) !== null) came++;
    if (came !== frames.length) ledger.fail(`half-close: ${came} of ${frames.length} frames came`);
    ledger.counts.frames += came;
    await close(stream.connection);
  },

  async "silence"({ echo, ledger }) {
    const connection = await dial(echo);
    if (await recv(connection, { timeout: 10_000 }) !== null) ledger.fail("bytes that nobody sent");
    await hangUp(connection);
  },

  async "a trickle of bytes"({ echo, ledger }, random) {
    const stream = await dialFramed(echo);
    const frame = numbered(7, random).subarray(0, 20);
    for (const byte of encoded(frame)) {
      await send(stream.connection, Uint8Array.of(byte));
      await pause(2);
    }
    const back = await recvFrame(stream, { timeout: 10_000 });
    if (back === null || !equals(back, frame)) ledger.fail("a trickle was not answered");
    await close(stream.connection);
  },

  async "a flood of empty frames"({ echo, ledger }) {
    const stream = await dialFramed(echo);
    const FRAMES = 20_000;
    const sending = send(stream.connection, new Uint8Array(4 * FRAMES));
    let came = 0;
    while (came < FRAMES && await recvFrame(stream, { timeout: 10_000 }) !== null) came++;
    await sending;
    if (came !== FRAMES) ledger.fail(`flood: ${came} of ${FRAMES} empty frames came back`);
    ledger.counts.frames += came;
    await close(stream.connection);
  },

  async "no PROXY header"({ proxied, ledger }, random) {
    const connection = await dial(proxied);
    await send(connection, random.bytes(200)).catch(() => {});
    await untilOver(connection);
    if (connection.bytesReceived > 0) ledger.fail("an answer without a header");
    await hangUp(connection);
  },

  async "half a PROXY header"({ proxied }) {
    const connection = await dial(proxied);
    await send(connection, new TextEncoder().encode("PROXY TCP4 192.0.2.1 "));
    await untilOver(connection);
    await hangUp(connection);
  },

  async "a connect that is cancelled"({ echo, ledger }, random) {
    const controller = new AbortController();
    const connecting = connect(echo.address, { signal: controller.signal });
    if (random.below(2) === 0) await pause(0);
    controller.abort();
    ledger.counts.cancels++;
    try {
      abort(await connecting);
    } catch (error) {
      if (!(error instanceof SocketError && error.kind === "Aborted")) throw error;
    }
  },

  async "a reader that does not read for long"({ echo, ledger }, random) {
    const stream = await dialFramed(echo);
    const frames = Array.from({ length: 30 }, (_, number) => numbered(number, random));
    const sending = Promise.all(frames.map((frame) => sendFrame(stream, frame)));
    await pause(100);
    let came = 0;
    while (came < frames.length && await recvFrame(stream, { timeout: 10_000 }) !== null) came++;
    await sending;
    if (came !== frames.length) ledger.fail(`slow: ${came} of ${frames.length} frames came`);
    ledger.counts.frames += came;
    await close(stream.connection);
  },
};

/** The load that makes one fault after the other. */
export const faults: Load = async (name, world, random) => {
  const names = Object.keys(FAULTS);
  while (await world.gate.pass(name)) {
    const fault = names[random.below(names.length)];
    world.ledger.counts.connections++;
    await FAULTS[fault](world, random);
    world.ledger.fault(fault);
    await pause(20 + random.below(30));
  }
};

/** The load with a listener of its own, whose accepts time out repeatedly. Each client is accepted once. */
export const acceptor: Load = async (name, { gate, ledger }, random) => {
  while (await gate.pass(name)) {
    const listener = await listen({ host: "127.0.0.1", port: 0 });
    for (let batch = 0; batch < 5; batch++) await acceptBatch(listener, ledger, random);
    await closeListener(listener);
    await pause(50);
  }
};

async function acceptBatch(listener: Listener, ledger: Ledger, random: Random): Promise<void> {
  const clients = await Promise.all(
    Array.from({ length: 1 + random.below(4) }, () => connect(listener.address)),
  );
  ledger.counts.connections += clients.length;
  await Promise.all(clients.map((client, id) => send(client, Uint8Array.of(id))));
  const seen = new Set<number>();
  while (seen.size < clients.length) {
    try {
      const server = await accept(listener, { signal, timeout: random.below(2) });
      seen.add((await recvExactly(server, 1))[0]);
      await close(server, { linger: 0 });
    } catch (error) {
      if (!(error instanceof SocketError && error.kind === "TimedOut")) throw error;
      ledger.counts.cancels++;
    }
  }
  await Promise.all(clients.map((client) => close(client)));
  await pause(10);
}
