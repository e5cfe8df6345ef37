import { once } from "node:events";
import { connect as nodeConnect } from "node:net";
import {
  abort,
  accept,
  closeListener,
  connect,
  type Connection,
  connectionOver,
  listen,
  listenerOver,
  send,
  type SocketAddress,
} from "../../mod.ts";
import type { MemoryNetwork } from "../../testing.ts";
import { AwkwardTransport } from "./awkward_transport.ts";
import type { Random } from "./random.ts";
import { leaveUnread, unixPair } from "./unix_sockets.ts";

/** Two ends of one stream. Disposing drops both. */
export interface StreamPair extends AsyncDisposable {
  readonly near: Connection<SocketAddress>;
  readonly far: Connection<SocketAddress>;
}

/** One end, whose peer sends some bytes and then resets. */
export interface ResetStream extends AsyncDisposable {
  readonly near: Connection<SocketAddress>;
  reset(bytes: Uint8Array): Promise<void>;
}

/** A kind of stream for the conformance suite. */
export interface StreamKind {
  /** True if a side may see that the other one has not closed in order. */
  readonly endsWithTruncation?: boolean;
  makePair(): Promise<StreamPair>;
  makeReset(): Promise<ResetStream>;
}

function pairOf(
  near: Connection<SocketAddress>,
  far: Connection<SocketAddress>,
  end: () => Promise<void>,
): StreamPair {
  return {
    near,
    far,
    async [Symbol.asyncDispose](): Promise<void> {
      abort(near);
      abort(far);
      await end();
    },
  };
}

/** Makes the kind of TCP on a host. `reach` is the address of its listeners if there is a link in between. */
export function tcpKind(host: string, reach = host): StreamKind {
  return {
    async makePair(): Promise<StreamPair> {
      const listener = await listen({ host, port: 0 });
      const { port } = listener.address;
      const [near, far] = await Promise.all([connect({ host: reach, port }), accept(listener)]);
      return pairOf(near, far, () => closeListener(listener));
    },
    async makeReset(): Promise<ResetStream> {
      const listener = await listen({ host, port: 0 });
      // The runtime ends every connection with FIN, so this peer uses node:net, which can reset one.
      const peer = nodeConnect(listener.address.port, reach);
      const [near] = await Promise.all([accept(listener), once(peer, "connect")]);
      return {
        near,
        async reset(bytes: Uint8Array): Promise<void> {
          if (bytes.length > 0) await new Promise((resolve) => peer.write(bytes, resolve));
          const closed = once(peer, "close");
          peer.resetAndDestroy();
          await closed;
        },
        async [Symbol.asyncDispose](): Promise<void> {
          peer.destroy();
          abort(near);
          await closeListener(listener);
        },
      };
    },
  };
}

/** Makes the kind of Unix sockets, each in a directory of its own. */
export function unixKind(): StreamKind {
  return {
    async makePair(): Promise<StreamPair> {
      const pair = await unixPair();
      return pairOf(pair.client, pair.server, async () => await pair[Symbol.asyncDispose]());
    },
    async makeReset(): Promise<ResetStream> {
      const pair = await unixPair();
      await leaveUnread(pair.client);
      return {
        near: pair.client,
        async reset(bytes: Uint8Array): Promise<void> {
          if (bytes.length > 0) await send(pair.server, bytes);
          abort(pair.server);
        },
        [Symbol.asyncDispose]: async () => await pair[Symbol.asyncDispose](),
      };
    },
  };
}

/** Makes the kind of `listenerOver` and `connectionOver` over the runtime's own TCP. */
export function overKind(): StreamKind {
  const { makeReset } = tcpKind("127.0.0.1");
  return {
    makeReset,
    async makePair(): Promise<StreamPair> {
      const source = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { hostname, port } = source.addr;
      const listener = listenerOver({
        accept: () => source.accept(),
        close: () => source.close(),
        address: { host: hostname, port },
      });
      const [conn, far] = await Promise.all([Deno.connect({ hostname, port }), accept(listener)]);
      return pairOf(connectionOver(conn), far, () => closeListener(listener));
    },
  };
}

/** Makes the kind of `connectionOver`, on transports that read and write awkward pieces. */
export function awkwardKind(random: Random): StreamKind {
  return {
    makePair(): Promise<StreamPair> {
      const [near, far] = AwkwardTransport.pair(random);
      const nothingMore = () => Promise.resolve();
      return Promise.resolve(pairOf(connectionOver(near), connectionOver(far), nothingMore));
    },
    makeReset(): Promise<ResetStream> {
      const [inner, peer] = AwkwardTransport.pair(random);
      const near = connectionOver(inner);
      return Promise.resolve({
        near,
        async reset(bytes: Uint8Array): Promise<void> {
          for (let sent = 0; sent < bytes.length;) sent += await peer.write(bytes.subarray(sent));
          peer.reset();
        },
        [Symbol.asyncDispose](): Promise<void> {
          abort(near);
          return Promise.resolve();
        },
      });
    },
  };
}

/** Makes the kind of TCP between two hosts of a network in memory. */
export function memoryKind(network: MemoryNetwork): StreamKind {
  async function makePair(): Promise<StreamPair> {
    const listener = await network.host("far").listen({ host: "far", port: 0 });
    const { port } = listener.address;
    const connecting = network.host("near").connect({ host: "far", port });
    const [near, far] = await Promise.all([connecting, accept(listener)]);
    return pairOf(near, far, () => closeListener(listener));
  }
  return {
    makePair,
    async makeReset(): Promise<ResetStream> {
      const pair = await makePair();
      return {
        near: pair.near,
        async reset(bytes: Uint8Array): Promise<void> {
          await send(pair.far, bytes);
          network.reset(pair.far);
        },
        [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
      };
    },
  };
}

/** Makes the same kind with its ends exchanged. */
export function swapped(kind: StreamKind): StreamKind {
  return {
    ...kind,
    async makePair(): Promise<StreamPair> {
      const pair = await kind.makePair();
      return {
        near: pair.far,
        far: pair.near,
        [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
      };
    },
  };
}
