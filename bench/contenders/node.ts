/** The contender with `node:net` and `node:dgram` in their best idiomatic form. It runs on Node and on Deno. */
import { Buffer } from "node:buffer";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { connect as connectTo, type Socket } from "node:net";
import {
  AT_ONCE,
  CONNECTS,
  type Contender,
  DATAGRAMS,
  ECHO,
  ECHO_DATAGRAM,
  END_FLOOD,
  FRAME_PREFIX,
  FRAMES_RECEIVED,
  HOST,
  LARGEST_MESSAGE,
  type Peer,
  PIPELINED,
  pipelined,
  RECEIVED,
  ROUND_TRIPS,
  roundTrips,
  sends,
  SINGLE_BYTES,
  SINGLE_BYTES_RECEIVED,
  SINK,
  SINK_DATAGRAM,
  SMALL_FRAMES,
  SOURCE,
  START_FLOOD,
  type Work,
  type WorkOptions,
} from "./work.ts";

async function open(
  peer: Peer,
  job: number,
  noDelay = true,
  onread?: { buffer: Uint8Array; callback(count: number): boolean },
): Promise<Socket> {
  const socket = connectTo({ host: HOST, port: peer.tcp, noDelay, onread });
  await once(socket, "connect");
  socket.on("error", () => {});
  await write(socket, Uint8Array.of(job));
  return socket;
}

async function openAll(
  peer: Peer,
  job: number,
  { connections, noDelay }: WorkOptions,
): Promise<Socket[]> {
  const opened: Socket[] = [];
  for (let count = 0; count < connections; count++) opened.push(await open(peer, job, noDelay));
  return opened;
}

function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.write(bytes, (error) => error ? reject(error) : resolve())
  );
}

async function sendAwaited(peer: Peer, { size, noDelay }: WorkOptions): Promise<Work> {
  const socket = await open(peer, SINK, noDelay);
  const bytes = Buffer.alloc(size);
  const count = sends(size);
  return {
    async batch() {
      for (let left = count; left > 0; left--) await write(socket, bytes);
      return count;
    },
    end: () => socket.destroy(),
  };
}

/** Writes messages. If the socket is corked, all writes of one turn leave with one writev. */
async function sendPipelined(
  peer: Peer,
  { size, noDelay }: WorkOptions,
  corked: boolean,
): Promise<Work> {
  const socket = await open(peer, SINK, noDelay);
  const bytes = Buffer.alloc(size);
  const count = pipelined(size);
  return {
    async batch() {
      if (corked) socket.cork();
      for (let left = count - 1; left > 0; left--) socket.write(bytes);
      const last = write(socket, bytes);
      if (corked) socket.uncork();
      await last;
      return count;
    },
    end: () => socket.destroy(),
  };
}

/** Encodes all frames of a batch into one buffer. */
async function sendFrames(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await open(peer, SINK);
  const messages = Array.from({ length: PIPELINED }, () => Buffer.alloc(size));
  return {
    async batch() {
      const buffer = Buffer.allocUnsafe(PIPELINED * (FRAME_PREFIX + size));
      let end = 0;
      for (const message of messages) {
        end = buffer.writeUInt32BE(message.length, end);
        end += message.copy(buffer, end);
      }
      await write(socket, buffer);
      return messages.length;
    },
    end: () => socket.destroy(),
  };
}

/** Writes each frame by itself, with the socket corked meanwhile. */
async function sendFramesCorked(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await open(peer, SINK);
  const messages = Array.from({ length: PIPELINED }, () => Buffer.alloc(size));
  const encoded = (message: Buffer) => {
    const frame = Buffer.allocUnsafe(FRAME_PREFIX + message.length);
    message.copy(frame, frame.writeUInt32BE(message.length));
    return frame;
  };
  return {
    async batch() {
      socket.cork();
      for (let index = 1; index < messages.length; index++) socket.write(encoded(messages[index]));
      const last = write(socket, encoded(messages[0]));
      socket.uncork();
      await last;
      return messages.length;
    },
    end: () => socket.destroy(),
  };
}

/** Cuts frames out of each chunk. A frame that spans two chunks is put together first. */
async function recvFrames(peer: Peer): Promise<Work> {
  const socket = await open(peer, SMALL_FRAMES);
  let rest: Buffer = Buffer.alloc(0);
  let missing = 0;
  let done = () => {};
  const split = (chunk: Buffer): Buffer[] => {
    const frames: Buffer[] = [];
    let start = 0;
    while (start + FRAME_PREFIX <= chunk.length) {
      const end = start + FRAME_PREFIX + chunk.readUInt32BE(start);
      if (end > chunk.length) break;
      frames.push(chunk.subarray(start + FRAME_PREFIX, end));
      start = end;
    }
    rest = chunk.subarray(start);
    return frames;
  };
  socket.pause();
  socket.on("data", (chunk: Buffer) => {
    missing -= split(rest.length === 0 ? chunk : Buffer.concat([rest, chunk])).length;
    if (missing > 0) return;
    socket.pause();
    done();
  });
  return {
    async batch() {
      missing = FRAMES_RECEIVED;
      const enough = new Promise<void>((resolve) => done = resolve);
      socket.resume();
      await enough;
      return FRAMES_RECEIVED - missing;
    },
    end: () => socket.destroy(),
  };
}

async function sendMixed(peer: Peer): Promise<Work> {
  const socket = await open(peer, SINK);
  const [small, large] = [Buffer.alloc(1), Buffer.alloc(LARGEST_MESSAGE)];
  return {
    async batch() {
      await write(socket, small);
      await write(socket, large);
      return 2;
    },
    end: () => socket.destroy(),
  };
}

async function sendOnAll(peer: Peer, options: WorkOptions): Promise<Work> {
  const all = await openAll(peer, SINK, options);
  const bytes = Buffer.alloc(options.size);
  return {
    async batch() {
      await Promise.all(all.map((socket) => write(socket, bytes)));
      return all.length;
    },
    end: () => all.forEach((socket) => socket.destroy()),
  };
}

/** Lets the socket flow only during a batch. The next batch takes the bytes that a paused socket had already read. */
async function recv(peer: Peer, job: number, amount: number): Promise<Work> {
  const socket = await open(peer, job);
  let received = 0;
  let done = () => {};
  socket.pause();
  socket.on("data", (chunk) => {
    received += chunk.length;
    if (received < amount) return;
    socket.pause();
    done();
  });
  return {
    async batch() {
      received = 0;
      const enough = new Promise<void>((resolve) => done = resolve);
      socket.resume();
      await enough;
      return received;
    },
    end: () => socket.destroy(),
  };
}

/** Receives through `onread`, which reuses one buffer. */
async function recvInto(peer: Peer): Promise<Work> {
  let received = 0;
  let done = () => {};
  const socket = await open(peer, SOURCE, true, {
    buffer: Buffer.alloc(128 * 1024),
    callback(count) {
      received += count;
      if (received < RECEIVED) return true;
      done();
      return false;
    },
  });
  return {
    async batch() {
      received = 0;
      const enough = new Promise<void>((resolve) => done = resolve);
      socket.resume();
      await enough;
      return received;
    },
    end: () => socket.destroy(),
  };
}

/** Begins each round trip in the handler in which the previous one ended. */
async function echo(peer: Peer, options: WorkOptions): Promise<Work> {
  const { size, connections } = options;
  const all = await openAll(peer, ECHO, options);
  const bytes = Buffer.alloc(size);
  const each = roundTrips(connections);
  const starts = all.map((socket) => {
    let [left, missing] = [0, 0];
    let done = () => {};
    const begin = () => {
      missing = size;
      socket.write(bytes);
    };
    socket.on("data", (chunk) => {
      missing -= chunk.length;
      if (missing > 0) return;
      left -= 1;
      if (left > 0) begin();
      else done();
    });
    return () =>
      new Promise<void>((resolve) => {
        left = each;
        done = resolve;
        begin();
      });
  });
  return {
    async batch() {
      await Promise.all(starts.map((start) => start()));
      return each * connections;
    },
    end: () => all.forEach((socket) => socket.destroy()),
  };
}

function connect(peer: Peer): Promise<Work> {
  const request = Buffer.of(ECHO, 1);
  const once = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connectTo({ host: HOST, port: peer.tcp, noDelay: true }, () => {
        socket.write(request);
      });
      socket.on("error", reject);
      socket.on("data", () => {
        socket.destroy();
        resolve();
      });
    });
  return Promise.resolve({
    async batch() {
      for (let left = CONNECTS; left > 0; left--) await once();
      return CONNECTS;
    },
    end() {},
  });
}

async function bind(): Promise<UdpSocket> {
  const socket = createSocket("udp4");
  socket.bind(0, HOST);
  await once(socket, "listening");
  return socket;
}

function sendOne(socket: UdpSocket, peer: Peer, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.send(bytes, peer.udp, HOST, (error) => error ? reject(error) : resolve())
  );
}

async function sendTo(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await bind();
  const bytes = Buffer.alloc(size, SINK_DATAGRAM);
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left--) await sendOne(socket, peer, bytes);
      return DATAGRAMS;
    },
    end: () => socket.close(),
  };
}

async function sendToAtOnce(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await bind();
  const bytes = Buffer.alloc(size, SINK_DATAGRAM);
  const sent = new Array<Promise<void>>(AT_ONCE);
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left -= AT_ONCE) {
        for (let index = 0; index < AT_ONCE; index++) sent[index] = sendOne(socket, peer, bytes);
        await Promise.all(sent);
      }
      return DATAGRAMS;
    },
    end: () => socket.close(),
  };
}

async function recvFrom(peer: Peer): Promise<Work> {
  const socket = await bind();
  let missing = 0;
  let done = () => {};
  socket.on("message", () => {
    missing -= 1;
    if (missing === 0) done();
  });
  await sendOne(socket, peer, Buffer.of(START_FLOOD));
  return {
    async batch() {
      const received = new Promise<void>((resolve) => done = resolve);
      missing = DATAGRAMS;
      await received;
      return DATAGRAMS;
    },
    async end() {
      await sendOne(socket, peer, Buffer.of(END_FLOOD));
      socket.close();
    },
  };
}

async function udpEcho(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await bind();
  const bytes = Buffer.alloc(size, ECHO_DATAGRAM);
  let left = 0;
  let done = () => {};
  socket.on("message", () => {
    left -= 1;
    if (left > 0) socket.send(bytes, peer.udp, HOST);
    else done();
  });
  return {
    async batch() {
      const received = new Promise<void>((resolve) => done = resolve);
      left = ROUND_TRIPS;
      socket.send(bytes, peer.udp, HOST);
      await received;
      return ROUND_TRIPS;
    },
    end: () => socket.close(),
  };
}

export const node: Contender = {
  send_awaited: sendAwaited,
  send_pipelined: (peer, options) => sendPipelined(peer, options, false),
  send_frames: sendFrames,
  recv_frames: recvFrames,
  send_mixed: sendMixed,
  send_on_all: sendOnAll,
  recv: (peer) => recv(peer, SOURCE, RECEIVED),
  recv_into: recvInto,
  recv_single_bytes: (peer) => recv(peer, SINGLE_BYTES, SINGLE_BYTES_RECEIVED),
  echo,
  // A handler gets its bytes either way, so this is the same work.
  echo_into: echo,
  connect,
  send_to: sendTo,
  send_to_at_once: sendToAtOnce,
  send_to_by_dgram: sendToAtOnce,
  recv_from: recvFrom,
  // Datagrams come as events, however many are waited for.
  recv_from_at_once: recvFrom,
  udp_echo: udpEcho,
};

/** The same contender with a corked socket, which sends all writes of a turn as one. */
export const corked: Contender = {
  send_pipelined: (peer, options) => sendPipelined(peer, options, true),
  send_pieces: (peer, options) => sendPipelined(peer, options, true),
  send_frames: sendFramesCorked,
};
