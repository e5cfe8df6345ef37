import {
  abort,
  accept,
  type Address,
  close,
  closeListener,
  type CloseOptions,
  closeWrite,
  connect,
  type Connection,
  type ConnectOptions,
  connectTls,
  framed,
  type FramedConnection,
  lengthPrefixed,
  listen,
  type Listener,
  type ListenOptions,
  listenTls,
  type OperationOptions,
  recv,
  recvFrame,
  type RecvOptions,
  send,
  sendFrame,
} from "../../../mod.ts";
import { CERT, KEY } from "./certificate.ts";
import { type Failure, failureOf, outcomeOf } from "./failure.ts";
import type { Pattern } from "./pattern.ts";

/** A connection with the patterns of both directions. */
interface Stream {
  readonly connection: Connection;
  readonly outgoing: Pattern;
  readonly incoming: Pattern;
  readonly frames: FramedConnection<Uint8Array>;
  readonly floods: Promise<Failure | void>[];
  /** The position of the next send in the pattern. */
  at: number;
}

/** The result of a series of receiving calls. It has no `end` if enough bytes arrived. */
export interface Received {
  readonly length: number;
  /** True if each byte was the expected one. */
  readonly intact: boolean;
  readonly end?: "end of stream" | Failure;
}

/** The options of a series of receiving calls. */
interface Taking extends RecvOptions {
  /** The number of bytes before these that are lost. */
  readonly lost?: number;
}

export interface Counts {
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/**
 * The TLS of a connection, if it has any: `runtime` is the runtime's own on the side of the client, `engine` that of
 * clients with a certificate.
 */
export type Tls = "runtime" | "engine";

type On<Options = unknown> = { readonly on: string } & Options;

const DEMANDING = { clientCaCerts: [CERT] };

/** Makes the commands for streams of bytes. Every connection has a name. */
export function streamCommands(there: Pattern, back: Pattern) {
  const streams = new Map<string, Stream>();
  const listeners = new Map<string, Listener>();

  function add(name: string, connection: Connection, outgoing: Pattern, incoming: Pattern) {
    const frames = framed(connection, lengthPrefixed({ bytes: 4 }));
    streams.set(name, { connection, outgoing, incoming, frames, floods: [], at: 0 });
    const { localAddress, remoteAddress } = connection;
    return { localAddress, remoteAddress };
  }

  async function take(
    on: string,
    length: number,
    { lost = 0, ...options }: Taking,
  ): Promise<Received> {
    const { connection, incoming } = streams.get(on)!;
    let came = 0;
    let intact = true;
    while (came < length) {
      const start = connection.bytesReceived + lost;
      const bytes = await outcomeOf(recv(connection, { ...options, maxBytes: length - came }));
      if (bytes === null) return { length: came, intact, end: "end of stream" };
      if (!(bytes instanceof Uint8Array)) return { length: came, intact, end: bytes };
      intact &&= incoming.matches(bytes, start);
      came += bytes.length;
    }
    return { length: came, intact };
  }

  return {
    async listen(
      { as, host, port = 0, tls, ...options }:
        & { as: string; tls?: Tls; handshakeTimeout?: number }
        & Partial<Address>
        & ListenOptions,
    ) {
      const address = { host: host!, port };
      const own = { cert: CERT, key: KEY };
      const listener =
        await (tls === undefined
          ? listen(address, options)
          : listenTls(address, { ...options, ...own, ...tls === "engine" ? DEMANDING : {} }));
      listeners.set(as, listener);
      return listener.address;
    },
    async accept({ on, as, ...options }: On<{ as: string } & OperationOptions>) {
      return add(as, await accept(listeners.get(on)!, options), back, there);
    },
    async connect(
      { as, host, port, tls, ...options }:
        & { as: string; tls?: Tls; handshakeTimeout?: number }
        & Address
        & ConnectOptions,
    ) {
      const trust = { caCerts: [CERT], serverName: "localhost" };
      const own = tls === "engine" ? { cert: CERT, key: KEY } : {};
      if (tls === undefined) return add(as, await connect({ host, port }, options), there, back);
      const connection = await connectTls({ host, port }, { ...options, ...trust, ...own });
      // Only the runtime's own TLS does not say which version it speaks.
      const found = connection.tls.cipher === undefined ? "runtime" : "engine";
      if (found !== tls) throw new Error(`the client's TLS is the ${found}'s`);
      return add(as, connection, there, back);
    },
    /** Iterates over clients, sends `length` bytes to each and closes the connection. */
    async sendToClients({ on, clients, length }: On<{ clients: number; length: number }>) {
      let served = 0;
      for await (const connection of listeners.get(on)!) {
        await send(connection, back.bytes(0, length));
        await close(connection);
        if (++served === clients) break;
      }
      return served;
    },
    async send({ on, length, ...options }: On<{ length: number } & OperationOptions>) {
      const stream = streams.get(on)!;
      const bytes = stream.outgoing.bytes(stream.at, length);
      stream.at += length;
      await send(stream.connection, bytes, Object.keys(options).length === 0 ? undefined : options);
    },
    /** Sends without awaiting until a send is QueueFull, at most `most` times. */
    async flood({ on, size, most }: On<{ size: number; most: number }>) {
      const stream = streams.get(on)!;
      for (let taken = 0; taken < most; taken++) {
        const sending = outcomeOf(send(stream.connection, stream.outgoing.bytes(stream.at, size)));
        const refused = await Promise.race([sending, new Promise<void>((r) => setTimeout(r, 0))]);
        if (refused?.kind === "QueueFull") return { taken, refused };
        stream.at += size;
        stream.floods.push(sending);
      }
      return { taken: most, refused: undefined };
    },
    /** Waits for all sends of the floods, and returns their outcomes. */
    async flooded({ on }: On) {
      const ends = await Promise.all(streams.get(on)!.floods.splice(0));
      return { sent: ends.filter((end) => !end).length, failed: ends.filter((end) => !!end) };
    },
    take: ({ on, length, ...options }: On<{ length: number } & Taking>) =>
      take(on, length, options),
    /** Receives until the end of stream or an error. */
    drain: ({ on, ...options }: On<Taking>) => take(on, Infinity, options),
    async sendFrames({ on, frames, size }: On<{ frames: number; size: number }>) {
      const stream = streams.get(on)!;
      for (let sent = 0; sent < frames; sent++) {
        await sendFrame(stream.frames, stream.outgoing.bytes(sent * size, size));
      }
    },
    async recvFrames({ on, ...options }: On<OperationOptions>) {
      const { frames, incoming } = streams.get(on)!;
      for (let came = 0, length = 0, intact = true;; came++) {
        const frame = await outcomeOf(recvFrame(frames, options));
        if (frame === null) return { frames: came, intact, end: "end of stream" as const };
        if (!(frame instanceof Uint8Array)) return { frames: came, intact, end: frame };
        intact &&= incoming.matches(frame, length);
        length += frame.length;
      }
    },
    counts({ on }: On): Counts {
      const { bytesSent, bytesReceived } = streams.get(on)!.connection;
      return { bytesSent, bytesReceived };
    },
    closeWrite: ({ on, ...options }: On<OperationOptions>) =>
      closeWrite(streams.get(on)!.connection, options),
    close: ({ on, ...options }: On<CloseOptions>) => close(streams.get(on)!.connection, options),
    abort: ({ on }: On) => abort(streams.get(on)!.connection),
    closeListener: ({ on }: On) => closeListener(listeners.get(on)!),
    /** Calls `recv` and `send` several times, and returns their failures. */
    async broken({ on, times }: On<{ times: number }>) {
      const { connection } = streams.get(on)!;
      const failures: Failure[] = [];
      for (let time = 0; time < times; time++) {
        await recv(connection).catch((error) => failures.push(failureOf(error)));
        await send(connection, new Uint8Array(1)).catch((error) => failures.push(failureOf(error)));
      }
      return failures;
    },
  };
}
