/**
 * The contender with Bun's own sockets in their best idiomatic form. It runs on Bun only, whose types Deno does not
 * have.
 */
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

/** The part of Bun's types that is used here. */
interface BunSocket {
  write(bytes: Uint8Array): number;
  setNoDelay(noDelay: boolean): boolean;
  terminate(): void;
  pause(): void;
  resume(): void;
  data: Handler;
}
interface BunUdpSocket {
  send(bytes: Uint8Array, port: number, host: string): boolean;
  /** Takes bytes, port and host of each datagram in turn, and returns the number of datagrams that were taken. */
  sendMany(datagrams: readonly (Uint8Array | number | string)[]): number;
  close(): void;
}
interface BunSink {
  start(options: { stream: boolean; asUint8Array: boolean; highWaterMark: number }): void;
  write(bytes: Uint8Array): number;
  flush(): Uint8Array;
}
interface BunRuntime {
  connect(options: {
    hostname: string;
    port: number;
    data: Handler;
    socket: Readonly<Record<string, (socket: BunSocket, argument: Uint8Array) => void>>;
  }): Promise<BunSocket>;
  udpSocket(options: {
    hostname: string;
    port: number;
    socket: { data?(): void; drain?(): void };
  }): Promise<BunUdpSocket>;
  ArrayBufferSink: new () => BunSink;
}

const { Bun } = globalThis as unknown as { Bun: BunRuntime };

/** The event handlers of one connection. Bun has one set of functions for all connections. */
class Handler {
  onOpen: (socket: BunSocket) => void = () => {};
  onData: (chunk: Uint8Array) => void = () => {};
  onDrain: () => void = () => {};
}

const EVENTS = {
  open: (socket: BunSocket) => socket.data.onOpen(socket),
  data: (socket: BunSocket, chunk: Uint8Array) => socket.data.onData(chunk),
  drain: (socket: BunSocket) => socket.data.onDrain(),
};

async function open(peer: Peer, job: number, noDelay = true): Promise<BunSocket> {
  const socket = await Bun.connect({
    hostname: HOST,
    port: peer.tcp,
    data: new Handler(),
    socket: EVENTS,
  });
  socket.setNoDelay(noDelay);
  socket.write(Uint8Array.of(job));
  return socket;
}

async function openAll(
  peer: Peer,
  job: number,
  { connections, noDelay }: WorkOptions,
): Promise<BunSocket[]> {
  const opened: BunSocket[] = [];
  for (let count = 0; count < connections; count++) opened.push(await open(peer, job, noDelay));
  return opened;
}

/** Writes bytes. It returns nothing to wait for if the system took all of them. */
async function drain(socket: BunSocket, bytes: Uint8Array, sent: number): Promise<void> {
  while (sent < bytes.length) {
    await new Promise<void>((resolve) => socket.data.onDrain = resolve);
    sent += socket.write(bytes.subarray(sent));
  }
}

async function writes(peer: Peer, { noDelay }: WorkOptions, messages: Uint8Array[]): Promise<Work> {
  const socket = await open(peer, SINK, noDelay);
  return {
    async batch() {
      for (const bytes of messages) {
        const sent = socket.write(bytes);
        if (sent < bytes.length) await drain(socket, bytes, sent);
      }
      return messages.length;
    },
    end: () => socket.terminate(),
  };
}

/** Gathers messages in an `ArrayBufferSink`, as Bun's documentation advises, because its sockets do not buffer. */
async function sendPipelined(peer: Peer, { size, noDelay }: WorkOptions): Promise<Work> {
  const socket = await open(peer, SINK, noDelay);
  const bytes = new Uint8Array(size);
  const count = pipelined(size);
  const sink = new Bun.ArrayBufferSink();
  sink.start({ stream: true, asUint8Array: true, highWaterMark: size * count });
  return {
    async batch() {
      for (let left = count; left > 0; left--) sink.write(bytes);
      const gathered = sink.flush();
      const sent = socket.write(gathered);
      if (sent < gathered.length) await drain(socket, gathered, sent);
      return count;
    },
    end: () => socket.terminate(),
  };
}

/** Encodes all frames of a batch into one buffer that is used again. */
async function sendFrames(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await open(peer, SINK);
  const messages = Array.from({ length: PIPELINED }, () => new Uint8Array(size));
  const buffer = new Uint8Array(PIPELINED * (FRAME_PREFIX + size));
  const view = new DataView(buffer.buffer);
  return {
    async batch() {
      let end = 0;
      for (const message of messages) {
        view.setUint32(end, message.length);
        buffer.set(message, end + FRAME_PREFIX);
        end += FRAME_PREFIX + message.length;
      }
      const sent = socket.write(buffer);
      if (sent < end) await drain(socket, buffer, sent);
      return messages.length;
    },
    end: () => socket.terminate(),
  };
}

/** Cuts frames out of each chunk. A frame that spans two chunks is put together first. */
async function recvFrames(peer: Peer): Promise<Work> {
  const socket = await open(peer, SMALL_FRAMES);
  let rest = new Uint8Array(0);
  let missing = 0;
  let done = () => {};
  const split = (chunk: Uint8Array): Uint8Array[] => {
    const frames: Uint8Array[] = [];
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.length);
    let start = 0;
    while (start + FRAME_PREFIX <= chunk.length) {
      const end = start + FRAME_PREFIX + view.getUint32(start);
      if (end > chunk.length) break;
      frames.push(chunk.subarray(start + FRAME_PREFIX, end));
      start = end;
    }
    rest = chunk.slice(start);
    return frames;
  };
  socket.pause();
  socket.data.onData = (chunk) => {
    let whole = chunk;
    if (rest.length > 0) {
      whole = new Uint8Array(rest.length + chunk.length);
      whole.set(rest);
      whole.set(chunk, rest.length);
    }
    missing -= split(whole).length;
    if (missing > 0) return;
    socket.pause();
    done();
  };
  return {
    async batch() {
      missing = FRAMES_RECEIVED;
      const enough = new Promise<void>((resolve) => done = resolve);
      socket.resume();
      await enough;
      return FRAMES_RECEIVED - missing;
    },
    end: () => socket.terminate(),
  };
}

async function sendOnAll(peer: Peer, options: WorkOptions): Promise<Work> {
  const all = await openAll(peer, SINK, options);
  const bytes = new Uint8Array(options.size);
  return {
    async batch() {
      for (const socket of all) {
        const sent = socket.write(bytes);
        if (sent < bytes.length) await drain(socket, bytes, sent);
      }
      // The event loop has to turn, or nothing else runs.
      await new Promise((resolve) => setImmediate(resolve));
      return all.length;
    },
    end: () => all.forEach((socket) => socket.terminate()),
  };
}

async function recv(peer: Peer, job: number, amount: number): Promise<Work> {
  const socket = await open(peer, job);
  let received = 0;
  let done = () => {};
  socket.pause();
  socket.data.onData = ({ length }) => {
    received += length;
    if (received < amount) return;
    socket.pause();
    done();
  };
  return {
    async batch() {
      received = 0;
      const enough = new Promise<void>((resolve) => done = resolve);
      socket.resume();
      await enough;
      return received;
    },
    end: () => socket.terminate(),
  };
}

async function echo(peer: Peer, options: WorkOptions): Promise<Work> {
  const { size, connections } = options;
  const all = await openAll(peer, ECHO, options);
  const bytes = new Uint8Array(size);
  const each = roundTrips(connections);
  const starts = all.map((socket) => {
    let [left, missing] = [0, 0];
    let done = () => {};
    const begin = () => {
      missing = size;
      const sent = socket.write(bytes);
      if (sent < size) void drain(socket, bytes, sent);
    };
    socket.data.onData = ({ length }) => {
      missing -= length;
      if (missing > 0) return;
      left -= 1;
      if (left > 0) begin();
      else done();
    };
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
    end: () => all.forEach((socket) => socket.terminate()),
  };
}

function connect(peer: Peer): Promise<Work> {
  const request = Uint8Array.of(ECHO, 1);
  const once = () =>
    new Promise<void>((resolve, reject) => {
      const data = new Handler();
      let opened: BunSocket;
      data.onOpen = (socket) => {
        opened = socket;
        socket.setNoDelay(true);
        socket.write(request);
      };
      data.onData = () => {
        opened.terminate();
        resolve();
      };
      Bun.connect({ hostname: HOST, port: peer.tcp, data, socket: EVENTS }).catch(reject);
    });
  return Promise.resolve({
    async batch() {
      for (let left = CONNECTS; left > 0; left--) await once();
      return CONNECTS;
    },
    end() {},
  });
}

async function sendTo(peer: Peer, { size }: WorkOptions): Promise<Work> {
  let drained = () => {};
  const socket = await Bun.udpSocket({
    hostname: HOST,
    port: 0,
    socket: { drain: () => drained() },
  });
  const bytes = new Uint8Array(size).fill(SINK_DATAGRAM);
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left--) {
        while (!socket.send(bytes, peer.udp, HOST)) {
          await new Promise<void>((resolve) => drained = resolve);
        }
      }
      return DATAGRAMS;
    },
    end: () => socket.close(),
  };
}

/** Longer than the peer needs for a full queue (ms). */
const PEER_DRAIN_MS = 50;

/** Sends 64 datagrams by one call, which is one system call on Linux (sendmmsg). */
async function sendToAtOnce(peer: Peer, { size }: WorkOptions): Promise<Work> {
  let drained = () => {};
  const socket = await Bun.udpSocket({
    hostname: HOST,
    port: 0,
    socket: { drain: () => drained() },
  });
  const bytes = new Uint8Array(size).fill(SINK_DATAGRAM);
  const datagrams = same(bytes, AT_ONCE).flatMap((bytes) => [bytes, peer.udp, HOST]);
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left -= AT_ONCE) {
        for (let sent = 0; sent < AT_ONCE;) {
          sent += socket.sendMany(sent === 0 ? datagrams : datagrams.slice(3 * sent));
          if (sent < AT_ONCE) await new Promise<void>((resolve) => drained = resolve);
        }
      }
      return DATAGRAMS;
    },
    async end() {
      // The peer has to take what fills its queue, or it would lose the next order.
      await new Promise((resolve) => setTimeout(resolve, PEER_DRAIN_MS));
      socket.close();
    },
  };
}

async function recvFrom(peer: Peer): Promise<Work> {
  let missing = 0;
  let done = () => {};
  const socket = await Bun.udpSocket({
    hostname: HOST,
    port: 0,
    socket: {
      data() {
        missing -= 1;
        if (missing === 0) done();
      },
    },
  });
  socket.send(Uint8Array.of(START_FLOOD), peer.udp, HOST);
  return {
    async batch() {
      const received = new Promise<void>((resolve) => done = resolve);
      missing = DATAGRAMS;
      await received;
      return DATAGRAMS;
    },
    end() {
      socket.send(Uint8Array.of(END_FLOOD), peer.udp, HOST);
      socket.close();
    },
  };
}

async function udpEcho(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const bytes = new Uint8Array(size).fill(ECHO_DATAGRAM);
  let left = 0;
  let done = () => {};
  const socket = await Bun.udpSocket({
    hostname: HOST,
    port: 0,
    socket: {
      data() {
        left -= 1;
        if (left > 0) socket.send(bytes, peer.udp, HOST);
        else done();
      },
    },
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

function same(bytes: Uint8Array, count: number): Uint8Array[] {
  return new Array<Uint8Array>(count).fill(bytes);
}

export const bun: Contender = {
  send_awaited: (peer, options) =>
    writes(peer, options, same(new Uint8Array(options.size), sends(options.size))),
  send_pipelined: sendPipelined,
  send_pieces: sendPipelined,
  send_frames: sendFrames,
  recv_frames: recvFrames,
  send_mixed: (peer, options) =>
    writes(peer, options, [new Uint8Array(1), new Uint8Array(LARGEST_MESSAGE)]),
  send_on_all: sendOnAll,
  recv: (peer) => recv(peer, SOURCE, RECEIVED),
  recv_single_bytes: (peer) => recv(peer, SINGLE_BYTES, SINGLE_BYTES_RECEIVED),
  echo,
  // A handler gets its bytes either way, so this is the same work.
  echo_into: echo,
  connect,
  send_to: sendTo,
  send_to_at_once: sendToAtOnce,
  recv_from: recvFrom,
  // Datagrams come as events, however many are waited for.
  recv_from_at_once: recvFrom,
  udp_echo: udpEcho,
};
