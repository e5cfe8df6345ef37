/** The contender with this package, used as its README says. */
import {
  abort,
  bindUdp,
  closeUdp,
  connect as connectTo,
  type Connection,
  framed,
  lengthPrefixed,
  recv as receive,
  recvFrame as receiveFrame,
  recvFrames as receiveFrames,
  recvFrom as receiveFrom,
  recvInto as receiveInto,
  send,
  sendFrame as sendOneFrame,
  sendFrames as sendAllFrames,
  sendTo as sendDatagram,
  type SocketAddress,
} from "../../mod.ts";
import {
  ASKED_DATAGRAMS,
  askForDatagrams,
  AT_ONCE,
  CONNECTS,
  type Contender,
  DATAGRAMS,
  ECHO,
  ECHO_DATAGRAM,
  END_FLOOD,
  FRAMES_RECEIVED,
  HOST,
  isSmall,
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
  unixPath,
  type Work,
  type WorkOptions,
} from "./work.ts";
import { NodeDatagrams } from "../../runtime/node_datagrams.ts";
import { BoundUdpSocket } from "../../udp/udp_socket.ts";

/** The options of a connection. */
type Way = Pick<WorkOptions, "noDelay" | "unix">;
const TCP: Way = { noDelay: true, unix: false };

async function open(
  peer: Peer,
  job: number,
  { noDelay, unix }: Way = TCP,
): Promise<Connection<SocketAddress>> {
  const address = unix ? { path: unixPath(peer) } : { host: HOST, port: peer.tcp };
  const connection = await connectTo(address as SocketAddress, { noDelay });
  await send(connection, Uint8Array.of(job));
  return connection;
}

async function openAll(
  peer: Peer,
  job: number,
  options: WorkOptions,
): Promise<Connection<SocketAddress>[]> {
  const opened: Connection<SocketAddress>[] = [];
  for (let count = 0; count < options.connections; count++) {
    opened.push(await open(peer, job, options));
  }
  return opened;
}

async function sendAwaited(peer: Peer, { size, ...way }: WorkOptions): Promise<Work> {
  const connection = await open(peer, SINK, way);
  const bytes = new Uint8Array(size);
  const count = sends(size);
  return {
    async batch() {
      for (let left = count; left > 0; left--) await send(connection, bytes);
      return count;
    },
    end: () => abort(connection),
  };
}

async function sendPipelined(peer: Peer, { size, ...way }: WorkOptions): Promise<Work> {
  const connection = await open(peer, SINK, way);
  const bytes = new Uint8Array(size);
  const count = pipelined(size);
  return {
    async batch() {
      for (let left = count - 1; left > 0; left--) void send(connection, bytes);
      await send(connection, bytes);
      return count;
    },
    end: () => abort(connection),
  };
}

/** Works with the messages of a batch as an array, as a program has them before it sends them. */
async function withMessages(
  peer: Peer,
  { size }: WorkOptions,
  sendBatch: (connection: Connection<SocketAddress>) => (messages: Uint8Array[]) => Promise<void>,
): Promise<Work> {
  const connection = await open(peer, SINK);
  const messages = Array.from({ length: PIPELINED }, () => new Uint8Array(size));
  const sendMessages = sendBatch(connection);
  return {
    async batch() {
      await sendMessages(messages);
      return messages.length;
    },
    end: () => abort(connection),
  };
}

function sendPieces(connection: Connection<SocketAddress>) {
  return (messages: Uint8Array[]) => send(connection, messages);
}

function sendOneByOne(connection: Connection<SocketAddress>) {
  return (messages: Uint8Array[]) => {
    for (let index = 1; index < messages.length; index++) void send(connection, messages[index]);
    return send(connection, messages[0]);
  };
}

function sendFrames(connection: Connection<SocketAddress>) {
  const stream = framed(connection, lengthPrefixed());
  return (messages: Uint8Array[]) => sendAllFrames(stream, messages);
}

function sendFrameByFrame(connection: Connection<SocketAddress>) {
  const stream = framed(connection, lengthPrefixed());
  return (messages: Uint8Array[]) => {
    for (let index = 1; index < messages.length; index++) {
      void sendOneFrame(stream, messages[index]);
    }
    return sendOneFrame(stream, messages[0]);
  };
}

async function recvFrames(peer: Peer): Promise<Work> {
  const connection = await open(peer, SMALL_FRAMES);
  const stream = framed(connection, lengthPrefixed());
  return {
    async batch() {
      let missing = FRAMES_RECEIVED;
      while (missing > 0) missing -= (await receiveFrames(stream))!.length;
      return FRAMES_RECEIVED - missing;
    },
    end: () => abort(connection),
  };
}

async function recvFrameByFrame(peer: Peer): Promise<Work> {
  const connection = await open(peer, SMALL_FRAMES);
  const stream = framed(connection, lengthPrefixed());
  return {
    async batch() {
      for (let left = FRAMES_RECEIVED; left > 0; left--) await receiveFrame(stream);
      return FRAMES_RECEIVED;
    },
    end: () => abort(connection),
  };
}

async function sendMixed(peer: Peer): Promise<Work> {
  const connection = await open(peer, SINK);
  const [small, large] = [new Uint8Array(1), new Uint8Array(LARGEST_MESSAGE)];
  return {
    async batch() {
      await send(connection, small);
      await send(connection, large);
      return 2;
    },
    end: () => abort(connection),
  };
}

async function sendOnAll(peer: Peer, options: WorkOptions): Promise<Work> {
  const all = await openAll(peer, SINK, options);
  const bytes = new Uint8Array(options.size);
  return {
    async batch() {
      await Promise.all(all.map((connection) => send(connection, bytes)));
      return all.length;
    },
    end: () => all.forEach(abort),
  };
}

async function recv(peer: Peer, job: number, amount: number): Promise<Work> {
  const connection = await open(peer, job);
  return {
    async batch() {
      let missing = amount;
      while (missing > 0) missing -= (await receive(connection))!.length;
      return amount - missing;
    },
    end: () => abort(connection),
  };
}

async function recvInto(peer: Peer, options: WorkOptions): Promise<Work> {
  const connection = await open(peer, SOURCE, options);
  const buffer = new Uint8Array(128 * 1024);
  return {
    async batch() {
      let missing = RECEIVED;
      while (missing > 0) missing -= (await receiveInto(connection, buffer))!;
      return RECEIVED - missing;
    },
    end: () => abort(connection),
  };
}

/** Echoes a large message, which comes back while it is still being sent. */
async function roundTrip(connection: Connection<SocketAddress>, bytes: Uint8Array): Promise<void> {
  const { length } = bytes;
  const sent = isSmall(length) ? await send(connection, bytes) : send(connection, bytes);
  for (let missing = length; missing > 0;) missing -= (await receive(connection))!.length;
  await sent;
}

async function roundTripInto(
  connection: Connection<SocketAddress>,
  bytes: Uint8Array,
  buffer: Uint8Array,
): Promise<void> {
  const { length } = bytes;
  const sent = isSmall(length) ? await send(connection, bytes) : send(connection, bytes);
  for (let missing = length; missing > 0;) missing -= (await receiveInto(connection, buffer))!;
  await sent;
}

async function echo(peer: Peer, options: WorkOptions, once: typeof roundTripInto): Promise<Work> {
  const { size, connections } = options;
  const all = await openAll(peer, ECHO, options);
  const bytes = new Uint8Array(size);
  const buffers = all.map(() => new Uint8Array(Math.min(size, 64 * 1024)));
  const each = roundTrips(connections);
  const several = async (connection: Connection<SocketAddress>, index: number) => {
    for (let left = each; left > 0; left--) await once(connection, bytes, buffers[index]);
  };
  return {
    async batch() {
      if (connections === 1) await several(all[0], 0);
      else await Promise.all(all.map(several));
      return each * connections;
    },
    end: () => all.forEach(abort),
  };
}

function connect(peer: Peer): Promise<Work> {
  const request = Uint8Array.of(ECHO, 1);
  return Promise.resolve({
    async batch() {
      for (let left = CONNECTS; left > 0; left--) {
        const connection = await connectTo({ host: HOST, port: peer.tcp });
        await send(connection, request);
        await receive(connection);
        abort(connection);
      }
      return CONNECTS;
    },
    end() {},
  });
}

async function sendTo(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await bindUdp({ host: HOST, port: 0 });
  const to = { host: HOST, port: peer.udp };
  const bytes = new Uint8Array(size).fill(SINK_DATAGRAM);
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left--) await sendDatagram(socket, to, bytes);
      return DATAGRAMS;
    },
    end: () => closeUdp(socket),
  };
}

/** Binds a socket as `bindUdp` does without unstable features. */
async function bindByDgram(): Promise<BoundUdpSocket> {
  const settings = {
    reuseAddress: false,
    multicastLoopback: true,
    multicastTtl: undefined,
    multicastInterface: undefined,
    ttl: undefined,
    ipv6Only: false,
  };
  const socket = await NodeDatagrams.bind({ host: HOST, port: 0 }, settings);
  return new BoundUdpSocket(socket, 16 * 1024 * 1024, false);
}

async function sendToAtOnce(
  peer: Peer,
  { size }: WorkOptions,
  bind = () => bindUdp({ host: HOST, port: 0 }),
): Promise<Work> {
  const socket = await bind();
  const to = { host: HOST, port: peer.udp };
  const bytes = new Uint8Array(size).fill(SINK_DATAGRAM);
  const sent = new Array<Promise<void>>(AT_ONCE);
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left -= AT_ONCE) {
        for (let index = 0; index < AT_ONCE; index++) sent[index] = sendDatagram(socket, to, bytes);
        await Promise.all(sent);
      }
      return DATAGRAMS;
    },
    end: () => closeUdp(socket),
  };
}

async function recvFrom(peer: Peer, atOnce: number): Promise<Work> {
  const socket = await bindUdp({ host: HOST, port: 0 });
  const to = { host: HOST, port: peer.udp };
  await sendDatagram(socket, to, Uint8Array.of(START_FLOOD));
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left -= atOnce) {
        if (atOnce === 1) await receiveFrom(socket);
        else await Promise.all(Array.from({ length: atOnce }, () => receiveFrom(socket)));
      }
      return DATAGRAMS;
    },
    async end() {
      await sendDatagram(socket, to, Uint8Array.of(END_FLOOD));
      await closeUdp(socket);
    },
  };
}

async function recvFromAsked(peer: Peer): Promise<Work> {
  const socket = await bindUdp({ host: HOST, port: 0 });
  const to = { host: HOST, port: peer.udp };
  const request = askForDatagrams();
  return {
    async batch() {
      await sendDatagram(socket, to, request);
      for (let left = ASKED_DATAGRAMS; left > 0; left--) await receiveFrom(socket);
      return ASKED_DATAGRAMS;
    },
    end: () => closeUdp(socket),
  };
}

async function udpEcho(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const socket = await bindUdp({ host: HOST, port: 0 });
  const to = { host: HOST, port: peer.udp };
  const bytes = new Uint8Array(size).fill(ECHO_DATAGRAM);
  return {
    async batch() {
      for (let left = ROUND_TRIPS; left > 0; left--) {
        await sendDatagram(socket, to, bytes);
        await receiveFrom(socket);
      }
      return ROUND_TRIPS;
    },
    end: () => closeUdp(socket),
  };
}

export const ours: Contender = {
  send_awaited: sendAwaited,
  send_pipelined: sendPipelined,
  send_pieces: (peer, options) => withMessages(peer, options, sendPieces),
  send_frames: (peer, options) => withMessages(peer, options, sendFrames),
  recv_frames: recvFrames,
  send_mixed: sendMixed,
  send_on_all: sendOnAll,
  recv: (peer) => recv(peer, SOURCE, RECEIVED),
  recv_into: recvInto,
  recv_single_bytes: (peer) => recv(peer, SINGLE_BYTES, SINGLE_BYTES_RECEIVED),
  echo: (peer, options) => echo(peer, options, roundTrip),
  echo_into: (peer, options) => echo(peer, options, roundTripInto),
  connect,
  send_to: sendTo,
  send_to_at_once: (peer, options) => sendToAtOnce(peer, options),
  send_to_by_dgram: (peer, options) => sendToAtOnce(peer, options, bindByDgram),
  recv_from: (peer) => recvFrom(peer, 1),
  recv_from_at_once: (peer) => recvFrom(peer, AT_ONCE),
  recv_from_asked: recvFromAsked,
  udp_echo: udpEcho,
};

/** This package with a call for each message instead of one for all. */
export const oneByOne: Contender = {
  send_pieces: (peer, options) => withMessages(peer, options, sendOneByOne),
  send_frames: (peer, options) => withMessages(peer, options, sendFrameByFrame),
  recv_frames: recvFrameByFrame,
};
