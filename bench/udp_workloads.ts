import { bindUdp, closeUdp, recvFrom, sendTo } from "../mod.ts";
import { HOST, type Peer } from "./start_peer.ts";
import type { Workload } from "./tcp_workloads.ts";

const SENDS = 256;
/** So many fit into a socket's receive buffer, so that none is lost. */
const FLOOD = 100;

function bindRaw(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
}

async function both(peer: Peer) {
  return {
    raw: bindRaw(),
    ours: await bindUdp({ host: HOST, port: 0 }),
    rawTarget: { transport: "udp", hostname: HOST, port: peer.udp } as const,
    target: { host: HOST, port: peer.udp },
  };
}

async function sends(peer: Peer): Promise<Workload> {
  const { raw, ours, rawTarget, target } = await both(peer);
  // Neither echoed nor answered.
  const bytes = new Uint8Array(64).fill(2);
  return {
    name: `${SENDS} sendTo of 64 B, each awaited`,
    repeats: 50,
    async raw() {
      for (let count = 0; count < SENDS; count++) await raw.send(bytes, rawTarget);
    },
    async ours() {
      for (let count = 0; count < SENDS; count++) await sendTo(ours, target, bytes);
    },
    end() {
      raw.close();
      void closeUdp(ours);
    },
  };
}

async function flood(peer: Peer): Promise<Workload> {
  const { raw, ours, rawTarget, target } = await both(peer);
  const request = new Uint8Array(5);
  request[0] = 1;
  new DataView(request.buffer).setUint32(1, FLOOD);
  return {
    name: `recvFrom of ${FLOOD} datagrams of 64 B that were asked for`,
    repeats: 100,
    async raw() {
      await raw.send(request, rawTarget);
      for (let count = 0; count < FLOOD; count++) await raw.receive();
    },
    async ours() {
      await sendTo(ours, target, request);
      for (let count = 0; count < FLOOD; count++) await recvFrom(ours);
    },
    end() {
      raw.close();
      void closeUdp(ours);
    },
  };
}

async function pingPong(peer: Peer): Promise<Workload> {
  const { raw, ours, rawTarget, target } = await both(peer);
  const bytes = new Uint8Array(64);
  const buffer = new Uint8Array(64 * 1024);
  return {
    name: "UDP ping-pong of 64 B (raw: reused buffer)",
    repeats: 2000,
    async raw() {
      await raw.send(bytes, rawTarget);
      await raw.receive(buffer);
    },
    async ours() {
      await sendTo(ours, target, bytes);
      await recvFrom(ours);
    },
    end() {
      raw.close();
      void closeUdp(ours);
    },
  };
}

export const UDP_WORKLOADS: readonly ((peer: Peer) => Promise<Workload>)[] = [
  sends,
  flood,
  pingPong,
];
