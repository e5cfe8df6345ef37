import {
  abort,
  accept,
  type Address,
  bindUdp,
  ByteQueue,
  close,
  closeListener,
  closeUdp,
  closeWrite,
  connect,
  type Connection,
  connectionOver,
  connectTls,
  contentLength,
  delimited,
  disconnectSignal,
  encodeProxyHeader,
  flush,
  formatAddress,
  frameBytes,
  framed,
  frameTooLarge,
  heartbeat,
  invalidFrame,
  joinMulticast,
  json,
  keepConnected,
  lengthField,
  lengthPrefixed,
  lines,
  type LinkContext,
  listen,
  type Listener,
  listenerOver,
  listenTls,
  mapCodec,
  netstrings,
  observe,
  octetCounted,
  parseAddress,
  parseSocketAddress,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  recvFrom,
  recvInto,
  recvLine,
  recvProxyHeader,
  recvUntil,
  ref,
  requirePermissions,
  send,
  sendFrame,
  sendFrames,
  sendTo,
  serve,
  SocketError,
  startTls,
  type UdpSocket,
  unref,
  varintPrefixed,
} from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { makeAuthority } from "../../support/certificates.ts";

/** The handles that the functions are called with. They are opened before permissions are revoked. */
export interface Things {
  readonly client: Connection;
  readonly server: Connection;
  /** A listener with a client that waits to be accepted. */
  readonly listener: Listener;
  /** A socket with a datagram that waits to be received. */
  readonly udp: UdpSocket;
}

/** The addresses for the functions that take one. */
export interface Aims {
  readonly listen: Address;
  readonly bindUdp: Address;
  readonly connect: Address;
  readonly sendTo: Address;
}

const SOME = { timeout: 10_000 };
const BYTE = new Uint8Array([65]);
const LINE = new Uint8Array([65, 10]);

/** One call of each exported function, with arguments that make it succeed. */
export const FUNCTIONS: Readonly<
  Record<string, (things: Things, aims: Aims) => unknown | Promise<unknown>>
> = {
  ByteQueue: () => new ByteQueue().push(BYTE),
  SocketError: () => new SocketError("Other", "test", "a reason"),
  abort: ({ client }) => abort(client),
  accept: ({ listener }) => accept(listener, SOME),
  bindUdp: async (_, aims) => await closeUdp(await bindUdp(aims.bindUdp)),
  checkCodec: () => checkCodec(lines(), LINE, ["A"]),
  close: ({ client }) => close(client, { linger: 0 }),
  closeListener: ({ listener }) => closeListener(listener),
  closeUdp: ({ udp }) => closeUdp(udp),
  closeWrite: ({ client }) => closeWrite(client),
  connect: async (_, aims) => abort(await connect(aims.connect, SOME)),
  connectionOver: () =>
    abort(connectionOver({
      read: () => Promise.resolve(null),
      write: (bytes) => Promise.resolve(bytes.length),
      close: () => {},
    })),
  connectTls: async (_, aims) => {
    try {
      abort(await connectTls(aims.connect, { ...SOME, handshakeTimeout: 100 }));
    } catch (error) {
      // The peer there does not speak TLS: it goes away, or says nothing.
      const ends = ["UnexpectedEof", "ConnectionReset", "BrokenPipe", "TimedOut"];
      if (!ends.includes((error as SocketError).kind)) throw error;
    }
  },
  contentLength: () => contentLength().encode(BYTE),
  delimited: () => delimited(BYTE).encode(new Uint8Array()),
  disconnectSignal: ({ client }) => disconnectSignal(client),
  encodeProxyHeader: () => encodeProxyHeader({}, { version: 2 }),
  flush: ({ client }) => flush(client, SOME),
  formatAddress: () => formatAddress({ host: "::1", port: 80 }),
  frameBytes: () => frameBytes(BYTE, BYTE),
  frameTooLarge: () => frameTooLarge(2, 1),
  framed: ({ client }) => framed(client, lines()),
  heartbeat: ({ client }) =>
    heartbeat(client, { interval: 1000, timeout: 1000, ping: () => {} })[Symbol.dispose](),
  invalidFrame: () => invalidFrame("a reason"),
  joinMulticast: async ({ udp }) =>
    await (await joinMulticast(udp, "239.255.7.7", { interface: "127.0.0.1" })).leave(),
  json: () => json().encode([1]),
  keepConnected: async ({ client }, aims) => {
    const ready = (_: Connection, context: LinkContext) => context.ready();
    const link = keepConnected(aims.connect, ready, { connect: () => client });
    await link.up(SOME);
    await link.close({ linger: 0 });
  },
  lengthField: () => lengthField({ bytes: 1, adjust: 0 }).encode(new Uint8Array([0])),
  lengthPrefixed: () => lengthPrefixed().encode(BYTE),
  lines: () => lines().encode("A"),
  listen: async (_, aims) => await closeListener(await listen(aims.listen)),
  listenerOver: () =>
    closeListener(listenerOver({ accept: () => Promise.reject(new Error()), close: () => {} })),
  listenTls: async (_, aims) => {
    const { server: { cert, key } } = await makeAuthority();
    await closeListener(await listenTls(aims.listen, { cert, key }));
  },
  mapCodec: () =>
    mapCodec(lines(), { encode: (text: string) => text, decode: (text) => text }).encode("A"),
  netstrings: () => netstrings().encode(BYTE),
  observe: () => observe({ close: () => {} })[Symbol.dispose](),
  octetCounted: () => octetCounted().encode(BYTE),
  parseAddress: () => parseAddress("[::1]:80"),
  parseSocketAddress: () => parseSocketAddress("unix:/run/app.sock"),
  recv: async ({ client, server }) => {
    await send(server, BYTE);
    await recv(client, SOME);
  },
  recvExactly: async ({ client, server }) => {
    await send(server, BYTE);
    await recvExactly(client, 1, SOME);
  },
  recvFrame: async ({ client, server }) => {
    await send(server, LINE);
    await recvFrame(framed(client, lines()), SOME);
  },
  recvFrames: async ({ client, server }) => {
    await send(server, LINE);
    await recvFrames(framed(client, lines()), SOME);
  },
  recvFrom: ({ udp }) => recvFrom(udp, SOME),
  recvInto: async ({ client, server }) => {
    await send(server, BYTE);
    await recvInto(client, new Uint8Array(1), SOME);
  },
  recvLine: async ({ client, server }) => {
    await send(server, LINE);
    await recvLine(client, SOME);
  },
  recvProxyHeader: async ({ client, server }) => {
    await send(client, encodeProxyHeader({}, { version: 1 }));
    await recvProxyHeader(server, SOME);
  },
  recvUntil: async ({ client, server }) => {
    await send(server, LINE);
    await recvUntil(client, new Uint8Array([10]), SOME);
  },
  ref: ({ client }) => ref(client),
  requirePermissions: () => requirePermissions({}),
  send: ({ client }) => send(client, BYTE, SOME),
  sendFrame: ({ client }) => sendFrame(framed(client, lines()), "A", SOME),
  sendFrames: ({ client }) => sendFrames(framed(client, lines()), ["A", "B"], SOME),
  sendTo: ({ udp }, aims) => sendTo(udp, aims.sendTo, BYTE, SOME),
  serve: async ({ listener }) => {
    const served = Promise.withResolvers<void>();
    // The list of trusted proxies loads `node:net`.
    const server = serve(listener, () => served.resolve(), {
      proxyProtocol: { trust: ["127.0.0.1", "::1"] },
      onError: served.reject,
      ...SOME,
    });
    await served.promise;
    await server.shutdown();
  },
  startTls: async ({ client, server }) => {
    const { ca, client: own, server: other } = await makeAuthority();
    const { cert, key } = other;
    const authorities = { caCerts: [ca.cert], serverName: "localhost" };
    const [near, far] = await Promise.all([
      startTls(client, { role: "client", ...authorities, cert: own.cert, key: own.key }),
      startTls(server, { role: "server", cert, key, clientCaCerts: [ca.cert] }),
    ]);
    abort(near);
    abort(far);
  },
  unref: ({ listener }) => unref(listener),
  varintPrefixed: () => varintPrefixed().encode(BYTE),
};

/** Opens the handles at addresses of `host` that need permissions of their own. */
export async function makeThings(host: string): Promise<Things> {
  const listener = await listen({ host, port: 0 });
  const [client, server] = await Promise.all([connect(listener.address), accept(listener)]);
  const waiting = await connect(listener.address);
  await send(waiting, encodeProxyHeader({}, { version: 1 }));
  await closeWrite(waiting);
  const udp = await bindUdp({ host, port: 0 });
  await sendTo(udp, udp.address, BYTE);
  return { client, server, listener, udp };
}
