import { assertEquals } from "@std/assert";
import {
  abort,
  type Address,
  bindUdp,
  closeListener,
  connect,
  type Connection,
  framed,
  lines,
  listen,
  recv,
  send,
  sendFrame,
  sendFrames,
  sendTo,
} from "../../../mod.ts";
import { type Failure, testFailures } from "../../support/failures.ts";
import { LOOPBACK, type OpenHandles } from "../../support/open_handles.ts";
import { RECEIVING_CALLS } from "../../support/receiving_calls.ts";
import { resetByPeer } from "../../support/reset_by_peer.ts";
import { rejection } from "../../support/socket_errors.ts";

const BYTES = new Uint8Array([1]);
/** Of a range that is kept for documentation (RFC 5737): no machine has it. */
const ELSEWHERE: Address = { host: "203.0.113.7", port: 0 };
const UNKNOWN: Address = { host: "no-such.invalid", port: 9 };

/** Finds an address on loopback that nobody listens on. */
async function deadAddress(host = "127.0.0.1"): Promise<Address> {
  const listener = await listen({ host, port: 0 });
  await closeListener(listener);
  return listener.address;
}

const REFUSED: readonly Failure[] = ["127.0.0.1", "::1", "localhost"].map((host) => ({
  what: `nobody listens on ${host}`,
  kind: "ConnectionRefused",
  operation: "connect",
  reason: "connection refused",
  code: "ECONNREFUSED",
  cause: Deno.errors.ConnectionRefused,
  retryable: true,
  async provoke() {
    const { port } = await deadAddress("127.0.0.1");
    const address = { host, port };
    return [address, await rejection(() => connect(address), this.kind, this.operation)];
  },
}));

const IN_USE: readonly Failure[] = [
  { operation: "listen", bind: listen, address: ({ listener }: OpenHandles) => listener.address },
  { operation: "bindUdp", bind: bindUdp, address: ({ udp }: OpenHandles) => udp.address },
].flatMap(({ operation, bind, address }) => [
  {
    what: "the port is taken",
    kind: "AddressInUse" as const,
    operation,
    reason: "address already in use",
    code: "EADDRINUSE",
    cause: Deno.errors.AddrInUse,
    retryable: true,
    async provoke(handles: OpenHandles) {
      const taken = address(handles);
      return [taken, await rejection(() => bind(taken), this.kind, operation)];
    },
  },
  {
    what: "the address is another machine's",
    kind: "AddressNotAvailable" as const,
    operation,
    reason: "address not available on this machine",
    code: "EADDRNOTAVAIL",
    cause: Deno.errors.AddrNotAvailable,
    retryable: true,
    provoke: async () => [
      ELSEWHERE,
      await rejection(() => bind(ELSEWHERE), "AddressNotAvailable", operation),
    ],
  },
]) as Failure[];

const NOT_FOUND: readonly Failure[] = [
  { operation: "connect", call: () => connect(UNKNOWN) },
  { operation: "listen", call: () => listen(UNKNOWN) },
  { operation: "bindUdp", call: () => bindUdp(UNKNOWN) },
  { operation: "sendTo", call: ({ udp }: OpenHandles) => sendTo(udp, UNKNOWN, BYTES) },
].map(({ operation, call }) => ({
  what: "nobody knows the name",
  kind: "HostNotFound",
  operation,
  reason: "host not found",
  cause: Error,
  retryable: true,
  provoke: async (handles) => [
    UNKNOWN,
    await rejection(() => call(handles), "HostNotFound", operation),
  ],
}));

const BROKEN: readonly Failure[] = [
  ...[
    ...RECEIVING_CALLS,
    { name: "send", call: (connection: Connection) => send(connection, BYTES) },
    {
      name: "sendFrames",
      call: (connection: Connection) => sendFrames(framed(connection, lines()), ["line"]),
    },
    {
      name: "sendFrame",
      call: (connection: Connection) => sendFrame(framed(connection, lines()), "line"),
    },
  ].map(({ name: operation, call }): Failure => ({
    what: "the peer resets",
    kind: "ConnectionReset",
    operation,
    reason: "connection reset by the peer",
    code: "ECONNRESET",
    cause: Deno.errors.ConnectionReset,
    async provoke({ listener }) {
      const connection = await resetByPeer(listener);
      const error = await rejection(() => call(connection), this.kind, operation);
      await rejection(() => recv(connection), this.kind, "recv");
      abort(connection);
      return [connection.remoteAddress, error];
    },
  })),
  {
    what: "the peer is gone",
    kind: "BrokenPipe",
    operation: "send",
    reason: "the peer no longer receives",
    code: "EPIPE",
    cause: Deno.errors.BrokenPipe,
    async provoke({ client, server }) {
      abort(server);
      assertEquals(await recv(client), null);
      const sendOn = async () => {
        for (let tries = 0; tries < 100_000; tries++) await send(client, BYTES);
      };
      const error = await rejection(sendOn, this.kind, "send");
      assertEquals(error.bytesSent, 0);
      return [client.remoteAddress, error];
    },
  },
];

// To connect to a multicast address fails without asking the network; other systems say it in
// other words.
const UNREACHABLE: readonly Failure[] = Deno.build.os !== "linux" ? [] : [{
  what: "the network is unreachable",
  kind: "Unreachable",
  operation: "connect",
  reason: "network unreachable",
  code: "ENETUNREACH",
  cause: Deno.errors.NetworkUnreachable,
  retryable: true,
  async provoke() {
    const address = { host: "224.0.0.1", port: 9 };
    return [address, await rejection(() => connect(address), this.kind, "connect")];
  },
}];

testFailures([...REFUSED, ...IN_USE, ...NOT_FOUND, ...BROKEN, ...UNREACHABLE]);

Deno.test("E5: a failed listen() leaves nothing behind, and the address works afterwards", async () => {
  const taken = await listen(LOOPBACK);
  await rejection(() => listen(taken.address), "AddressInUse", "listen");
  await closeListener(taken);
  await closeListener(await listen(taken.address));
});
