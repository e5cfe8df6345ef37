import { assertEquals } from "@std/assert";
import { type ByteQueue, framed, recv, recvExactly, recvFrame, send } from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";

const TEN = Uint8Array.from({ length: 10 }, (_, index) => index);

Deno.test("E4: a signal that is aborted while the codec of a call runs is not missed", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const goodbye = new AbortController();
  const codec = {
    encode: () => [],
    decoder: () => ({
      decode(input: ByteQueue) {
        if (input.length > 0) goodbye.abort();
        return undefined;
      },
    }),
  };
  await send(client, TEN);
  // Some bytes are here already when the call is made.
  await soon(recvExactly(server, 1));
  const stream = framed(server, codec);
  await rejection(() => recvFrame(stream, { signal: goodbye.signal }), "Aborted", "recvFrame");
  assertEquals(await soon(recvExactly(server, 9)), TEN.subarray(1));
});

Deno.test("E5: calls that wait for one signal share a listener, which goes with the last of them", async () => {
  const controller = new AbortController();
  const { signal, listeners } = countedSignal(controller);
  await using one = await tcpPair();
  await using other = await tcpPair();
  const first = recv(one.server, { signal });
  const second = recv(other.server, { signal });
  assertEquals(listeners(), 1);
  await send(one.client, TEN);
  assertEquals(await soon(first), TEN);
  const third = recv(one.server, { signal });
  assertEquals(listeners(), 1);
  controller.abort("enough");
  for (const call of [second, third]) {
    const { cause } = await rejection(() => call, "Aborted", "recv");
    assertEquals(cause, "enough");
  }
  assertEquals(listeners(), 0);
});
