import { type Connection, heartbeat, type SocketAddress } from "../../../mod.ts";
import { checkStream } from "../../support/check_stream.ts";
import { awkwardKind, type StreamKind, tcpKind } from "../../support/stream_kinds.ts";

/** Gives both ends heartbeats that check every millisecond, and so read ahead as soon as nobody receives. */
function beatingKind(kind: StreamKind): StreamKind {
  const beat = (connection: Connection<SocketAddress>) =>
    heartbeat(connection, { interval: 8, timeout: Infinity, ping: () => {} });
  return {
    async makePair() {
      const pair = await kind.makePair();
      beat(pair.near);
      beat(pair.far);
      return pair;
    },
    async makeReset() {
      const stream = await kind.makeReset();
      beat(stream.near);
      return stream;
    },
  };
}

checkStream("TCP with heartbeats", () => beatingKind(tcpKind("127.0.0.1")));
checkStream("connectionOver with heartbeats", (random) => beatingKind(awkwardKind(random)));
