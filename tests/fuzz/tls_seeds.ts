import { once } from "node:events";
import { createServer, type Server, Socket } from "node:net";
import type { AddressInfo } from "node:net";
import type { TestAuthority } from "../support/certificates.ts";
import {
  connectNodeClient,
  startNodeServer,
  type TlsVersion,
  VERSIONS,
} from "../support/tls_peers.ts";
import { utf8 } from "./expectations.ts";

/** The bytes of both directions of sessions. */
export interface Recorded {
  readonly client: readonly Uint8Array[];
  readonly server: readonly Uint8Array[];
}

/** First bytes of peers that do not speak TLS, and of some that do in part. */
export const OTHERS: readonly Uint8Array[] = [
  ...utf8(
    "",
    "GET / HTTP/1.1\r\nHost: server.test\r\n\r\n",
    "220 mail ESMTP\r\n",
    "SSH-2.0-OpenSSH_9\r\n",
    "\0\0\0\x08\x04\xd2\x16\x2f",
  ),
  // A hello of SSL 2, alerts, data before a handshake, and an empty record.
  new Uint8Array([0x80, 0x2e, 1, 3, 1, 0, 0x15, 0, 0, 0, 0x10, ...new Array(37).fill(1)]),
  new Uint8Array([21, 3, 3, 0, 2, 2, 40]),
  new Uint8Array([21, 3, 3, 0, 2, 1, 0]),
  new Uint8Array([23, 3, 3, 0, 4, 1, 2, 3, 4]),
  new Uint8Array([20, 3, 3, 0, 1, 1]),
  new Uint8Array([22, 3, 3, 0, 0]),
  new Uint8Array([22, 3, 3, 0xff, 0xff, 2, 0, 0xff, 0xff]),
];

/** Headers of records and messages, extensions, and lengths at the limits. */
export const WORDS: readonly Uint8Array[] = [
  [22, 3, 1],
  [22, 3, 3, 0, 1],
  [21, 3, 3, 0, 2, 1, 0],
  [21, 3, 3, 0, 2, 2, 50],
  [20, 3, 3, 0, 1, 1],
  [23, 3, 3, 0, 16],
  [1, 0, 0, 40, 3, 3],
  [2, 0, 0, 40, 3, 3],
  [11, 0, 0, 3],
  [13, 0, 0, 0],
  [14, 0, 0, 0],
  [20, 0, 0, 12],
  [24, 0, 0, 1, 0],
  [0, 0, 0, 5, 0, 3, 0, 0, 0],
  [0, 16, 0, 5, 0, 3, 2, 104, 50],
  [0, 43, 0, 2, 3, 4],
  [0, 51, 0, 2, 0, 23],
  [0x40, 0],
  [0x40, 1],
  [0x41, 0],
  [0xff, 0xff],
].map((bytes) => new Uint8Array(bytes));

/** Records sessions of both versions, with and without a certificate of the client. */
export async function recordSessions({ ca, server, client }: TestAuthority): Promise<Recorded> {
  const recorded: { client: Uint8Array[]; server: Uint8Array[] } = { client: [], server: [] };
  for (const version of VERSIONS) {
    for (const shown of [{}, { cert: client.cert, key: client.key }]) {
      await using peer = await startNodeServer(server, {
        version,
        requestCert: true,
        rejectUnauthorized: false,
        ca: ca.cert,
        ALPNProtocols: ["h2"],
      });
      const [sent, answered] = await recordSession(peer.address.port, version, shown);
      recorded.client.push(sent);
      recorded.server.push(answered);
    }
  }
  return recorded;
}

async function recordSession(
  port: number,
  version: TlsVersion,
  shown: { cert?: string; key?: string },
): Promise<[sent: Uint8Array, answered: Uint8Array]> {
  const parts: [number[], number[]] = [[], []];
  const sockets: Socket[] = [];
  const between: Server = createServer((near) => {
    const far = new Socket();
    far.connect(port, "127.0.0.1");
    sockets.push(near, far);
    for (const [from, to, kept] of [[near, far, parts[0]], [far, near, parts[1]]] as const) {
      from.on("data", (bytes: Uint8Array) => {
        kept.push(...bytes);
        to.write(bytes);
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
    }
  });
  between.listen(0, "127.0.0.1");
  await once(between, "listening");
  const address = between.address() as AddressInfo;
  await connectNodeClient(address.port, { version, ALPNProtocols: ["h2", "x"], ...shown });
  const closed = once(between, "close");
  for (const socket of sockets) socket.destroy();
  between.close();
  await closed;
  return [new Uint8Array(parts[0]), new Uint8Array(parts[1])];
}

/** Sets the lengths of the first record and of its message, so that more of an input is read. */
export function repairRecord(input: Uint8Array): Uint8Array {
  if (input.length < 9) return input;
  const repaired = new Uint8Array(input);
  const content = Math.min(input.length - 5, 1 << 14);
  repaired.set([22, 3, 3, content >> 8, content & 255]);
  const message = Math.min(content - 4, repaired[6] << 16 | repaired[7] << 8 | repaired[8]);
  repaired.set([0, message >> 8, message & 255], 6);
  return repaired;
}
