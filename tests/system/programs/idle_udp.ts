/**
 * Puts a UDP socket into a state, and prints if the process ends. It prints "ended" if nothing keeps the process alive,
 * and "received" if a receive does.
 *
 * idle_udp.ts STATE [wake]
 */
import { bindUdp, joinMulticast, recvFrom, sendTo, type UdpSocket } from "../../../mod.ts";
import type { BoundUdpSocket } from "../../../udp/udp_socket.ts";

const socket = await bindUdp({ host: "127.0.0.1", port: 0 });
const { setReferenced } = socket as BoundUdpSocket;

/** Prints once, because an exit causes an unload as well. */
let report = (what: string): void => {
  console.log(JSON.stringify(what));
  report = () => {};
};

function refer(on: boolean): void {
  setReferenced.call(socket, on);
}

async function receives(socket: UdpSocket): Promise<void> {
  await recvFrom(socket);
  report("received");
  Deno.exit(0);
}

async function timesOut(): Promise<void> {
  await recvFrom(socket, { timeout: 1 }).catch(() => {});
}

async function comesIn(count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) await sendTo(socket, socket.address, new Uint8Array(1));
}

async function iterates(): Promise<void> {
  for await (const _ of socket) {
    report("received");
    Deno.exit(0);
  }
}

const STATES: Record<string, () => unknown> = {
  "nothing was received": () => {},
  "a group was joined": async () => {
    const anywhere = await bindUdp({ host: "0.0.0.0", port: 0 });
    await joinMulticast(anywhere, "239.255.7.7", { interface: "127.0.0.1" });
  },
  "a datagram waits": () => comesIn(1),
  "a receive has timed out": timesOut,
  "a receive was aborted": async () => {
    const controller = new AbortController();
    const receiving = recvFrom(socket, controller).catch(() => {});
    controller.abort();
    await receiving;
  },
  "a receive has ended": async () => {
    const receiving = recvFrom(socket);
    await comesIn(1);
    await receiving;
  },
  "a receive has ended after one that timed out": async () => {
    await timesOut();
    const receiving = recvFrom(socket);
    await comesIn(1);
    await receiving;
  },
  "an iteration was left": async () => {
    await comesIn(2);
    for await (const _ of socket) break;
  },
  "a receive is pending, unreferenced before": () => {
    refer(false);
    void receives(socket);
  },
  "a receive is pending, unreferenced meanwhile": () => {
    void receives(socket);
    refer(false);
  },
  "an unreferenced receive has timed out, and one is pending": async () => {
    refer(false);
    await timesOut();
    void receives(socket);
  },
  "a receive is pending": () => void receives(socket),
  "an iteration is pending": () => void iterates(),
  "a receive is pending after one that timed out": async () => {
    await timesOut();
    void receives(socket);
  },
  "a receive is pending after one that has ended": async () => {
    const receiving = recvFrom(socket);
    await comesIn(1);
    await receiving;
    void receives(socket);
  },
  "a receive is pending beside one that timed out": async () => {
    void receives(socket);
    await timesOut();
  },
  "a receive is pending, referenced again": () => {
    refer(false);
    void receives(socket);
    refer(true);
  },
  "a receive was referenced again while none was pending": () => {
    refer(false);
    refer(true);
    void receives(socket);
  },
};

await STATES[Deno.args[0]]();
globalThis.addEventListener("unload", () => report("ended"));
// The sender does not keep the process alive. Its datagram arrives only if something else does.
if (Deno.args[1] === "wake") Deno.unrefTimer(setTimeout(() => void comesIn(1), 300));
