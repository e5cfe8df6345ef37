import { assertEquals } from "@std/assert";
import { close, connect, type Connection, listenerOver, recv, send, serve } from "../../mod.ts";
import { soon } from "../support/socket_errors.ts";
import { bytesOf, textOf } from "../support/text.ts";
import { SocketFolder } from "../support/unix_sockets.ts";

async function greet(client: Connection | Connection<{ path: string }>): Promise<void> {
  const connection = client as Connection;
  await send(connection, bytesOf("hello"));
  assertEquals(textOf(await soon(recv(connection))), "hello");
  await close(connection);
}

Deno.test("E8: listenerOver() takes a TCP listener of Deno as it is, with its address", async () => {
  const source = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await using server = serve(listenerOver(source), async (connection) => {
    assertEquals(connection.localAddress, server.address);
    await send(connection, await recv(connection) ?? new Uint8Array());
  });
  assertEquals(server.address, { host: "127.0.0.1", port: source.addr.port });
  await greet(await connect(server.address));
});

Deno.test("E8: listenerOver() takes a Unix listener of Deno as it is, with its path", async () => {
  await using folder = await SocketFolder.make();
  const { path } = folder.next();
  const listener = listenerOver(Deno.listen({ transport: "unix", path }));
  assertEquals(listener.address, { path });
  await using server = serve(listener, async (connection) => {
    await send(connection, await recv(connection) ?? new Uint8Array());
  });
  await greet(await connect(server.address));
});
