import { once } from "node:events";
import { connect as nodeConnect } from "node:net";
import * as tls from "node:tls";
import {
  abort,
  accept,
  closeListener,
  connect,
  type Connection,
  connectionOver,
  connectTls,
  flush,
  listen,
  listenTls,
  recv,
  send,
  type SocketAddress,
  startTls,
} from "../../mod.ts";
import { AwkwardTransport } from "./awkward_transport.ts";
import { makeAuthority, type TestAuthority } from "./certificates.ts";
import type { Random } from "./random.ts";
import type { ResetStream, StreamKind, StreamPair } from "./stream_kinds.ts";
import { leaveUnread, SocketFolder } from "./unix_sockets.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

let made: Promise<TestAuthority> | undefined;

/** Makes the certificates of all TLS tests of a file once. */
export function testAuthority(): Promise<TestAuthority> {
  return made ??= makeAuthority();
}

/** Options of the client and of the server. */
export async function sides(withCertificate = false) {
  const { ca, server, client } = await testAuthority();
  const own = withCertificate ? { cert: client.cert, key: client.key } : {};
  return {
    client: { caCerts: [ca.cert], serverName: "server.test", ...own },
    server: {
      cert: server.cert,
      key: server.key,
      ...withCertificate ? { clientCaCerts: [ca.cert] } : {},
    },
  };
}

function pairOf(
  near: Connection<SocketAddress>,
  far: Connection<SocketAddress>,
  end?: () => Promise<void>,
): StreamPair {
  return {
    near,
    far,
    async [Symbol.asyncDispose](): Promise<void> {
      abort(near);
      abort(far);
      await end?.();
    },
  };
}

/** A connection accepted by `listenTls`, whose peer is `node:tls` on a socket of `node:net`, which can reset. */
async function makeReset(): Promise<ResetStream> {
  const { server } = await sides();
  const listener = await listenTls(LOOPBACK, server);
  const socket = nodeConnect(listener.address.port, "127.0.0.1");
  const peer = tls.connect({ socket, servername: "server.test", rejectUnauthorized: false });
  peer.on("error", () => {});
  socket.on("error", () => {});
  const [near] = await Promise.all([accept(listener), once(peer, "secureConnect")]);
  return {
    near,
    async reset(bytes: Uint8Array): Promise<void> {
      if (bytes.length > 0) await new Promise((resolve) => peer.write(bytes, resolve));
      const closed = once(socket, "close");
      socket.resetAndDestroy();
      await closed;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      peer.destroy();
      socket.destroy();
      abort(near);
      await closeListener(listener);
    },
  };
}

/** The kind of `connectTls` and `listenTls`; `reach` is the address of its listeners if there is a link between. The client has the runtime's TLS unless it shows a certificate. */
export function tlsKind(
  withCertificate = false,
  host: string = LOOPBACK.host,
  reach: string = host,
): StreamKind {
  return {
    endsWithTruncation: true,
    async makePair(): Promise<StreamPair> {
      const { client, server } = await sides(withCertificate);
      const listener = await listenTls({ host, port: 0 }, server);
      const { port } = listener.address;
      const [near, far] = await Promise.all([
        connectTls({ host: reach, port }, client),
        accept(listener),
      ]);
      return pairOf(near, far, () => closeListener(listener));
    },
    makeReset,
  };
}

/** The kind of `startTls` on TCP. With `parked`, a read of each side is under way when it begins. */
export function startTlsKind(parked = false): StreamKind {
  return {
    endsWithTruncation: true,
    async makePair(): Promise<StreamPair> {
      const { client, server } = await sides();
      await using listener = await listen(LOOPBACK);
      const [one, other] = await Promise.all([connect(listener.address), accept(listener)]);
      if (parked) await Promise.all([one, other].map(park));
      const [near, far] = await Promise.all([
        startTls(one, { role: "client", ...client }),
        startTls(other, { role: "server", ...server }),
      ]);
      return pairOf(near, far);
    },
    makeReset,
  };
}

/** Leaves a read of a connection under way, as a cancelled call does. */
export async function park(connection: Connection): Promise<void> {
  await recv(connection, { timeout: 1 }).catch(() => {});
}

/** The kind of `startTls` over a transport in memory that reads and writes awkward pieces. */
export function memoryTlsKind(random: Random): StreamKind {
  return {
    endsWithTruncation: true,
    async makePair(): Promise<StreamPair> {
      const { client, server } = await sides();
      const [one, other] = AwkwardTransport.pair(random).map((end) => connectionOver(end));
      const [near, far] = await Promise.all([
        startTls(one, { role: "client", ...client }),
        startTls(other, { role: "server", ...server }),
      ]);
      return pairOf(near, far);
    },
    async makeReset(): Promise<ResetStream> {
      const { client, server } = await sides();
      const [inner, peer] = AwkwardTransport.pair(random);
      const [near, far] = await Promise.all([
        startTls(connectionOver(inner), { role: "client", ...client }),
        startTls(connectionOver(peer), { role: "server", ...server }),
      ]);
      return {
        near,
        async reset(bytes: Uint8Array): Promise<void> {
          if (bytes.length > 0) await send(far, bytes);
          await flush(far);
          peer.reset();
        },
        [Symbol.asyncDispose](): Promise<void> {
          abort(near);
          abort(far);
          return Promise.resolve();
        },
      };
    },
  };
}

/** The kind of `listenTls` and `startTls` over Unix sockets, each in a directory of its own. */
export function unixTlsKind(): StreamKind {
  const makePair = async () => {
    const folder = await SocketFolder.make();
    const { client, server } = await sides();
    const listener = await listenTls(folder.next(), server);
    const plain = await connect(listener.address);
    const [near, far] = await Promise.all([
      startTls(plain, { role: "client", ...client }),
      accept(listener),
    ]);
    const end = async () => {
      await closeListener(listener);
      await folder[Symbol.asyncDispose]();
    };
    return { near, far, end };
  };
  return {
    endsWithTruncation: true,
    async makePair(): Promise<StreamPair> {
      const { near, far, end } = await makePair();
      return pairOf(near, far, end);
    },
    async makeReset(): Promise<ResetStream> {
      const { near, far, end } = await makePair();
      await leaveUnread(near);
      return {
        near,
        async reset(bytes: Uint8Array): Promise<void> {
          if (bytes.length > 0) await send(far, bytes);
          abort(far);
        },
        async [Symbol.asyncDispose](): Promise<void> {
          abort(near);
          await end();
        },
      };
    },
  };
}
