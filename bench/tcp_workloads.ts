import { abort, close, connect, recv, recvInto, send } from "../mod.ts";
import { firstByte, HOST, openOurs, openRaw, type Peer } from "./start_peer.ts";

/** The same work done by the runtime's sockets and by ours: what one call of each does. */
export interface Workload {
  readonly name: string;
  /** How often the table of ratios does it in one round. */
  readonly repeats: number;
  raw(): Promise<unknown>;
  ours(): Promise<unknown>;
  end(): void;
}

const SMALL = new Uint8Array(64);
const LARGE = new Uint8Array(64 * 1024);
const AWAITED = 256;
const PIPELINED = 1024;
const RECEIVED = 4 * 1024 * 1024;

async function writeAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

async function pingPong(peer: Peer): Promise<Workload> {
  const [conn, connection] = await Promise.all([openRaw(peer, "e"), openOurs(peer, "e")]);
  const buffer = new Uint8Array(64);
  return {
    name: "64 B ping-pong",
    repeats: 3000,
    async raw() {
      await conn.write(SMALL);
      for (let missing = 64; missing > 0;) missing -= (await conn.read(buffer))!;
    },
    async ours() {
      await send(connection, SMALL);
      for (let missing = 64; missing > 0;) missing -= (await recv(connection))!.length;
    },
    end() {
      conn.close();
      abort(connection);
    },
  };
}

async function awaitedSends(peer: Peer, noDelay: boolean): Promise<Workload> {
  const conn = await openRaw(peer, "s", noDelay);
  const connection = await openOurs(peer, "s", noDelay);
  return {
    name: `${AWAITED} sends of 64 B, each awaited${noDelay ? "" : ", without noDelay"}`,
    repeats: 100,
    async raw() {
      for (let count = 0; count < AWAITED; count++) await conn.write(SMALL);
    },
    async ours() {
      for (let count = 0; count < AWAITED; count++) await send(connection, SMALL);
    },
    end() {
      conn.close();
      abort(connection);
    },
  };
}

async function pipelinedSends(peer: Peer): Promise<Workload> {
  const [conn, connection] = await Promise.all([openRaw(peer, "s"), openOurs(peer, "s")]);
  return {
    name: `${PIPELINED} sends of 64 B, the last awaited (raw: each)`,
    repeats: 30,
    async raw() {
      for (let count = 0; count < PIPELINED; count++) await conn.write(SMALL);
    },
    async ours() {
      for (let count = 1; count < PIPELINED; count++) void send(connection, SMALL);
      await send(connection, SMALL);
    },
    end() {
      conn.close();
      abort(connection);
    },
  };
}

async function bulkSends(peer: Peer): Promise<Workload> {
  const [conn, connection] = await Promise.all([openRaw(peer, "s"), openOurs(peer, "s")]);
  return {
    name: "64 KiB send",
    repeats: 2000,
    raw: () => writeAll(conn, LARGE),
    ours: () => send(connection, LARGE),
    end() {
      conn.close();
      abort(connection);
    },
  };
}

/** A chunk that came beyond the amount counts for the next time. */
async function receive(peer: Peer, into: boolean): Promise<Workload> {
  const [conn, connection] = await Promise.all([openRaw(peer, "g"), openOurs(peer, "g")]);
  const buffer = new Uint8Array(128 * 1024);
  return {
    name: into ? "4 MiB by recvInto, 128 KiB buffer" : "4 MiB by recv (raw: fresh 64 KiB buffers)",
    repeats: 50,
    async raw() {
      for (let missing = RECEIVED; missing > 0;) {
        missing -= (await conn.read(into ? buffer : new Uint8Array(64 * 1024)))!;
      }
    },
    async ours() {
      for (let missing = RECEIVED; missing > 0;) {
        missing -= into ? (await recvInto(connection, buffer))! : (await recv(connection))!.length;
      }
    },
    end() {
      conn.close();
      abort(connection);
    },
  };
}

function connecting(peer: Peer, gracefully: boolean): Promise<Workload> {
  const buffer = new Uint8Array(1);
  return Promise.resolve({
    name: gracefully
      ? "connect, one byte each way, close (raw: closeWrite, read to the end, close)"
      : "connect, one byte each way, abort (raw: close)",
    repeats: 300,
    async raw() {
      const conn = await Deno.connect({ hostname: HOST, port: peer.tcp });
      conn.setNoDelay(true);
      await conn.write(firstByte("e"));
      await conn.write(buffer);
      await conn.read(buffer);
      if (gracefully) {
        await conn.closeWrite();
        while (await conn.read(buffer) !== null);
      }
      conn.close();
    },
    async ours() {
      const connection = await connect({ host: HOST, port: peer.tcp });
      await send(connection, firstByte("e"));
      await send(connection, buffer);
      await recv(connection);
      if (gracefully) await close(connection);
      else abort(connection);
    },
    end() {},
  });
}

export const TCP_WORKLOADS: readonly ((peer: Peer) => Promise<Workload>)[] = [
  pingPong,
  (peer) => awaitedSends(peer, true),
  (peer) => awaitedSends(peer, false),
  pipelinedSends,
  bulkSends,
  (peer) => receive(peer, false),
  (peer) => receive(peer, true),
  (peer) => connecting(peer, false),
  (peer) => connecting(peer, true),
];
