import { connect, type Connection, send } from "../mod.ts";

/** What the peer does with a connection: takes all (sink), sends without end (generate), or echoes. */
export type Job = "s" | "g" | "e";

/** The worker that is the other end, and how to reach it. */
export interface Peer extends Disposable {
  readonly tcp: number;
  readonly udp: number;
}

export const HOST = "127.0.0.1";

export async function startPeer(): Promise<Peer> {
  const worker = new Worker(new URL("./peer.ts", import.meta.url), { type: "module" });
  const ports = await new Promise<{ tcp: number; udp: number }>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  return { ...ports, [Symbol.dispose]: () => worker.terminate() };
}

export function firstByte(job: Job): Uint8Array {
  return new TextEncoder().encode(job);
}

export async function openRaw(peer: Peer, job: Job, noDelay = true): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname: HOST, port: peer.tcp });
  conn.setNoDelay(noDelay);
  await conn.write(firstByte(job));
  return conn;
}

export async function openOurs(peer: Peer, job: Job, noDelay = true): Promise<Connection> {
  const connection = await connect({ host: HOST, port: peer.tcp }, { noDelay });
  await send(connection, firstByte(job));
  return connection;
}
