/** The contender with the runtime's own sockets, and nothing around them. */
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
  FRAME_PREFIX,
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

/** The options of a connection. */
type Way = Pick<WorkOptions, "noDelay" | "unix">;
const TCP: Way = { noDelay: true, unix: false };

async function open(
  peer: Peer,
  job: number,
  { noDelay, unix }: Way = TCP,
): Promise<Deno.Conn> {
  const conn = unix
    ? await Deno.connect({ transport: "unix", path: unixPath(peer) })
    : await Deno.connect({ hostname: HOST, port: peer.tcp });
  if ("setNoDelay" in conn) conn.setNoDelay(noDelay);
  await conn.write(Uint8Array.of(job));
  return conn;
}

async function openAll(
  peer: Peer,
  job: number,
  options: WorkOptions,
): Promise<Deno.Conn[]> {
  const conns: Deno.Conn[] = [];
  for (let count = 0; count < options.connections; count++) {
    conns.push(await open(peer, job, options));
  }
  return conns;
}

/** Writes a whole message. Every program that needs whole messages has to write this loop. */
async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = await conn.write(bytes); sent < bytes.length;) {
    sent += await conn.write(bytes.subarray(sent));
  }
}

/** Awaits each write for every kind of work. Writes cannot be pipelined, because concurrent ones interleave. */
async function awaitedWrites(
  peer: Peer,
  { size, ...way }: WorkOptions,
  count: number,
): Promise<Work> {
  const conn = await open(peer, SINK, way);
  const bytes = new Uint8Array(size);
  // A small write is almost never partial, and the bare call is the harder baseline.
  const write = isSmall(size)
    ? async () => {
      for (let left = count; left > 0; left--) await conn.write(bytes);
    }
    : async () => {
      for (let left = count; left > 0; left--) await writeAll(conn, bytes);
    };
  return {
    async batch() {
      await write();
      return count;
    },
    end: () => conn.close(),
  };
}

/** Gathers the messages of a batch in one buffer that is used again, and writes that. */
async function gathered(peer: Peer, { size }: WorkOptions, prefix: number): Promise<Work> {
  const conn = await open(peer, SINK);
  const messages = Array.from({ length: PIPELINED }, () => new Uint8Array(size));
  const buffer = new Uint8Array(PIPELINED * (prefix + size));
  const view = new DataView(buffer.buffer);
  return {
    async batch() {
      let end = 0;
      for (const message of messages) {
        if (prefix > 0) view.setUint32(end, message.length);
        buffer.set(message, end + prefix);
        end += prefix + message.length;
      }
      await writeAll(conn, buffer);
      return messages.length;
    },
    end: () => conn.close(),
  };
}

/**
 * Cuts frames out of one copy of each read, so that they belong to the program. A copy of each frame is 8 times slower.
 */
async function recvFrames(peer: Peer): Promise<Work> {
  const conn = await open(peer, SMALL_FRAMES);
  const buffer = new Uint8Array(128 * 1024);
  let kept = 0;
  const readFrames = async (): Promise<Uint8Array[]> => {
    const count = await conn.read(buffer.subarray(kept));
    const filled = kept + count!;
    const lengthAt = (at: number) =>
      (buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 | buffer[at + 3]) >>> 0;
    let end = 0;
    while (end + FRAME_PREFIX <= filled) {
      const next = end + FRAME_PREFIX + lengthAt(end);
      if (next > filled) break;
      end = next;
    }
    const { buffer: owned } = buffer.slice(0, end);
    const frames: Uint8Array[] = [];
    for (let at = 0; at < end;) {
      const length = lengthAt(at);
      frames.push(new Uint8Array(owned, at + FRAME_PREFIX, length));
      at += FRAME_PREFIX + length;
    }
    buffer.copyWithin(0, end, filled);
    kept = filled - end;
    return frames;
  };
  return {
    async batch() {
      let missing = FRAMES_RECEIVED;
      while (missing > 0) missing -= (await readFrames()).length;
      return FRAMES_RECEIVED - missing;
    },
    end: () => conn.close(),
  };
}

async function sendMixed(peer: Peer): Promise<Work> {
  const conn = await open(peer, SINK);
  const [small, large] = [new Uint8Array(1), new Uint8Array(LARGEST_MESSAGE)];
  return {
    async batch() {
      await writeAll(conn, small);
      await writeAll(conn, large);
      return 2;
    },
    end: () => conn.close(),
  };
}

async function sendOnAll(peer: Peer, options: WorkOptions): Promise<Work> {
  const conns = await openAll(peer, SINK, options);
  const bytes = new Uint8Array(options.size);
  return {
    async batch() {
      await Promise.all(conns.map((conn) => writeAll(conn, bytes)));
      return conns.length;
    },
    end: () => conns.forEach((conn) => conn.close()),
  };
}

async function recv(peer: Peer, job: number, amount: number, room: number): Promise<Work> {
  const conn = await open(peer, job);
  return {
    async batch() {
      let missing = amount;
      while (missing > 0) missing -= (await conn.read(new Uint8Array(room)))!;
      return amount - missing;
    },
    end: () => conn.close(),
  };
}

async function recvInto(peer: Peer, options: WorkOptions): Promise<Work> {
  const conn = await open(peer, SOURCE, options);
  const buffer = new Uint8Array(128 * 1024);
  return {
    async batch() {
      let missing = RECEIVED;
      while (missing > 0) missing -= (await conn.read(buffer))!;
      return RECEIVED - missing;
    },
    end: () => conn.close(),
  };
}

async function echo(peer: Peer, options: WorkOptions, fresh: boolean): Promise<Work> {
  const { size, connections } = options;
  const conns = await openAll(peer, ECHO, options);
  const bytes = new Uint8Array(size);
  const each = roundTrips(connections);
  const room = Math.min(size, 64 * 1024);
  const buffers = conns.map(() => new Uint8Array(room));
  const small = isSmall(size);
  const roundTrip = async (conn: Deno.Conn, buffer: Uint8Array) => {
    for (let left = each; left > 0; left--) {
      // A large message comes back while it is still being written.
      const written = small ? await conn.write(bytes) : writeAll(conn, bytes);
      for (let missing = size; missing > 0;) {
        missing -= (await conn.read(fresh ? new Uint8Array(room) : buffer))!;
      }
      await written;
    }
  };
  return {
    async batch() {
      if (connections === 1) await roundTrip(conns[0], buffers[0]);
      else await Promise.all(conns.map((conn, index) => roundTrip(conn, buffers[index])));
      return each * connections;
    },
    end: () => conns.forEach((conn) => conn.close()),
  };
}

function connect(peer: Peer): Promise<Work> {
  const request = Uint8Array.of(ECHO, 1);
  const buffer = new Uint8Array(1);
  return Promise.resolve({
    async batch() {
      for (let left = CONNECTS; left > 0; left--) {
        const conn = await Deno.connect({ hostname: HOST, port: peer.tcp });
        conn.setNoDelay(true);
        await conn.write(request);
        await conn.read(buffer);
        conn.close();
      }
      return CONNECTS;
    },
    end() {},
  });
}

function bind(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
}

function target(peer: Peer): Deno.NetAddr {
  return { transport: "udp", hostname: HOST, port: peer.udp };
}

function sendToAtOnce(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const [socket, to] = [bind(), target(peer)];
  const bytes = new Uint8Array(size).fill(SINK_DATAGRAM);
  const sent = new Array<Promise<number>>(AT_ONCE);
  return Promise.resolve({
    async batch() {
      for (let left = DATAGRAMS; left > 0; left -= AT_ONCE) {
        for (let index = 0; index < AT_ONCE; index++) sent[index] = socket.send(bytes, to);
        await Promise.all(sent);
      }
      return DATAGRAMS;
    },
    end: () => socket.close(),
  });
}

function sendTo(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const [socket, to] = [bind(), target(peer)];
  const bytes = new Uint8Array(size).fill(SINK_DATAGRAM);
  return Promise.resolve({
    async batch() {
      for (let left = DATAGRAMS; left > 0; left--) await socket.send(bytes, to);
      return DATAGRAMS;
    },
    end: () => socket.close(),
  });
}

async function recvFrom(peer: Peer, atOnce: number): Promise<Work> {
  const [socket, to] = [bind(), target(peer)];
  await socket.send(Uint8Array.of(START_FLOOD), to);
  return {
    async batch() {
      for (let left = DATAGRAMS; left > 0; left -= atOnce) {
        if (atOnce === 1) await socket.receive();
        else await Promise.all(Array.from({ length: atOnce }, () => socket.receive()));
      }
      return DATAGRAMS;
    },
    async end() {
      await socket.send(Uint8Array.of(END_FLOOD), to);
      socket.close();
    },
  };
}

function recvFromAsked(peer: Peer): Promise<Work> {
  const [socket, to] = [bind(), target(peer)];
  const request = askForDatagrams();
  return Promise.resolve({
    async batch() {
      await socket.send(request, to);
      for (let left = ASKED_DATAGRAMS; left > 0; left--) await socket.receive();
      return ASKED_DATAGRAMS;
    },
    end: () => socket.close(),
  });
}

function udpEcho(peer: Peer, { size }: WorkOptions): Promise<Work> {
  const [socket, to] = [bind(), target(peer)];
  const bytes = new Uint8Array(size).fill(ECHO_DATAGRAM);
  const buffer = new Uint8Array(64 * 1024);
  return Promise.resolve({
    async batch() {
      for (let left = ROUND_TRIPS; left > 0; left--) {
        await socket.send(bytes, to);
        await socket.receive(buffer);
      }
      return ROUND_TRIPS;
    },
    end: () => socket.close(),
  });
}

export const raw: Contender = {
  send_awaited: (peer, options) => awaitedWrites(peer, options, sends(options.size)),
  send_pipelined: (peer, options) => awaitedWrites(peer, options, pipelined(options.size)),
  send_pieces: (peer, options) => gathered(peer, options, 0),
  send_frames: (peer, options) => gathered(peer, options, FRAME_PREFIX),
  recv_frames: recvFrames,
  send_mixed: sendMixed,
  send_on_all: sendOnAll,
  recv: (peer) => recv(peer, SOURCE, RECEIVED, 64 * 1024),
  recv_into: recvInto,
  recv_single_bytes: (peer) => recv(peer, SINGLE_BYTES, SINGLE_BYTES_RECEIVED, 4096),
  echo: (peer, options) => echo(peer, options, false),
  echo_into: (peer, options) => echo(peer, options, false),
  connect,
  send_to: sendTo,
  send_to_at_once: sendToAtOnce,
  // Raw code without unstable features is the contender in node.ts. This is what that costs.
  send_to_by_dgram: sendToAtOnce,
  recv_from: (peer) => recvFrom(peer, 1),
  recv_from_at_once: (peer) => recvFrom(peer, AT_ONCE),
  recv_from_asked: recvFromAsked,
  udp_echo: udpEcho,
};

/** The same contender with a fresh buffer for each read, which belongs to the program, as with `recv`. */
export const rawFresh: Contender = {
  echo: (peer, options) => echo(peer, options, true),
};
