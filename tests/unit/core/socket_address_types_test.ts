import { assertEquals } from "@std/assert";
import {
  type Address,
  close,
  type Connection,
  framed,
  type FramedConnection,
  lines,
  type Listener,
  recv,
  recvFrame,
  recvProxyHeader,
  send,
  sendFrame,
  serve,
  type ServeContext,
  type ServeOptions,
  type Server,
  type SocketAddress,
  SocketError,
  type UnixAddress,
} from "../../../mod.ts";

// The compiler checks this file: the functions below are never called. What programs for TCP write must compile as it
// did before there were Unix sockets.

async function programForTcp(listener: Listener, connection: Connection): Promise<void> {
  const options: ServeOptions = {
    onError: (_error, client) => client?.remoteAddress.host.toUpperCase(),
    onRefused: (client) => send(client, new Uint8Array([client.remoteAddress.port])),
  };
  const server: Server = serve(listener, async (client, context: ServeContext) => {
    const host: string = context.proxy?.peer.host ?? client.remoteAddress.host;
    await send(client, new TextEncoder().encode(host));
  }, options);
  const port: number = server.address.port + listener.address.port;
  for await (const client of listener) useHost(client.localAddress.host);
  const stream: FramedConnection<string> = framed(connection, lines());
  useHost((await recvProxyHeader(connection)).peer.host, stream.connection.remoteAddress.host);
  await sendFrame(stream, String(port));
  await close(stream);
  const error = new SocketError("Other", "test", "a reason");
  useHost(error.address?.host ?? "", String(error.address?.port));
}

async function programForUnix(
  listener: Listener<UnixAddress>,
  connection: Connection<UnixAddress>,
): Promise<void> {
  const server: Server<UnixAddress> = serve(listener, async (client, context) => {
    useHost(client.localAddress.path, context.proxy?.peer.path ?? "");
    await recv(client);
  }, { onError: (_error, client) => useHost(client?.localAddress.path ?? "") });
  useHost(server.address.path);
  for await (const client of listener) useHost(client.localAddress.path);
  const stream: FramedConnection<string, string, UnixAddress> = framed(connection, lines());
  useHost(await recvFrame(stream) ?? "", stream.connection.localAddress.path);
  // A client of a proxy has a host, so the remote address may be of either kind.
  const remote: SocketAddress = connection.remoteAddress;
  useHost(remote.host === undefined ? remote.path : `${remote.host} ${remote.port}`);
  useHost("path" in remote ? remote.path : remote.host);
}

function programForBoth(connection: Connection<SocketAddress>): Promise<void> {
  return close(connection);
}

function acceptedByTheCompiler(
  tcp: Connection,
  unix: Connection<UnixAddress>,
  listener: Listener<UnixAddress>,
): Promise<void>[] {
  // @ts-expect-error A handler for TCP reads hosts, which clients of a Unix socket lack.
  serve(listener, (client: Connection) => programForBoth(client));
  // @ts-expect-error The address of a Unix socket has no port.
  const address: Address = unix.localAddress;
  return [
    programForBoth(tcp),
    programForBoth(unix),
    close({ connection: unix }),
    recvInto(address),
  ];
}

function useHost(..._hosts: string[]): void {}

function recvInto(_address: Address): Promise<void> {
  return Promise.resolve();
}

Deno.test("types: programs for TCP compile unchanged, and those for Unix sockets have paths", () => {
  const programs = [programForTcp, programForUnix, programForBoth, acceptedByTheCompiler];
  assertEquals(programs.map((program) => typeof program), programs.map(() => "function"));
});
