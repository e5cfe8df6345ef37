import { assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  connect,
  type Connection,
  framed,
  lines,
  listen,
  recvFrame,
  send,
  sendFrame,
} from "../../../mod.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";

Deno.test("K1: close() of a framed connection delivers its frames and closes its connection", async () => {
  await using pair = await tcpPair();
  const stream = framed(pair.client, lines());
  const sent = sendFrame(stream, "last words");
  const closed = close(stream, { linger: 0 });
  const far = framed(pair.server, lines());
  assertEquals(await soon(recvFrame(far)), "last words");
  assertEquals(await soon(recvFrame(far)), null);
  await soon(Promise.all([sent, closed]));
  await rejection(() => sendFrame(stream, "too late"), "Closed", "sendFrame");
  await soon(close(stream));
});

Deno.test("K1: await using closes the connection of a framed connection", async () => {
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  let connection: Connection;
  let closed: Promise<void>;
  {
    await using client = framed(await connect(listener.address), lines());
    connection = client.connection;
    const server = framed(await accept(listener), lines());
    await sendFrame(client, "hello");
    assertEquals(await soon(recvFrame(server)), "hello");
    closed = recvFrame(server).then(() => close(server));
  }
  await soon(closed);
  await rejection(() => send(connection, bytesOf("x")), "Closed", "send");
});

Deno.test("K2: abort() of a framed connection drops its connection", async () => {
  await using pair = await tcpPair();
  const stream = framed(pair.client, lines());
  const waiting = rejection(() => recvFrame(stream), "Closed", "recvFrame");
  abort(stream);
  await waiting;
});

Deno.test("E1: close() is InvalidInput for an object whose connection is none, and abort() ignores it", async () => {
  for (const [what, value] of WRONG_OBJECTS) {
    const handle = { connection: value as Connection };
    await rejection(() => close(handle), "InvalidInput", "close", what);
    abort(handle);
  }
});
