import { assertEquals } from "@std/assert";
import {
  abort,
  type ByteQueue,
  close,
  type Codec,
  framed,
  recv,
  recvExactly,
  recvFrame,
  recvInto,
  send,
} from "../../../mod.ts";
import { soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";

/** Waits until a number of bytes are in the queue, leaves them there, and keeps the queue. */
function keeping(count: number, show: (queue: ByteQueue) => void): Codec<"kept"> {
  return {
    encode: () => [],
    decoder: () => ({
      decode(input) {
        show(input);
        return input.length >= count ? "kept" : undefined;
      },
    }),
  };
}

Deno.test("F11: a queue that a codec has kept does not change after a close", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  // Reads are large only after reads that filled their buffer.
  const sent = send(client, new Uint8Array(300_000).fill(1));
  await soon(recvExactly(server, 300_000));
  await sent;
  await send(client, new Uint8Array(6000).fill(65));
  let queue!: ByteQueue;
  await soon(recvFrame(framed(server, keeping(6000, (input) => queue = input))));
  const closing = close(server);
  await send(client, new Uint8Array(6000).fill(66));
  await Promise.all([close(client), closing]);
  assertEquals(queue.take(6000), new Uint8Array(6000).fill(65));
});

Deno.test("F6: a codec that transfers the bytes of the queue takes nothing from later calls", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const sent = send(client, new Uint8Array(300_000).fill(1));
  await soon(recvExactly(server, 300_000));
  await sent;
  const thief: Codec<"taken"> = {
    encode: () => [],
    decoder: () => ({
      decode(input) {
        if (input.length < 5000) return undefined;
        const { buffer } = input.peek(5000);
        input.skip(5000);
        structuredClone(null, { transfer: [buffer as ArrayBuffer] });
        return "taken";
      },
    }),
  };
  await send(client, new Uint8Array(5000));
  assertEquals(await soon(recvFrame(framed(server, thief))), "taken");
  await send(client, new Uint8Array([7, 8, 9]));
  assertEquals(await soon(recv(server)), new Uint8Array([7, 8, 9]));
});

Deno.test("R2: the buffer that recv() gives has no bytes that another connection has received", async () => {
  {
    await using pair = await tcpPair();
    await send(pair.client, new Uint8Array(4000).fill(0x5e));
    // A copy, so that the buffer stays behind with its bytes.
    for (let left = 4000; left > 0;) {
      left -= (await soon(recvInto(pair.server, new Uint8Array(left), { timeout: 60_000 })))!;
    }
    await Promise.all([close(pair.client), close(pair.server)]);
  }
  // More than the spare buffers that are kept.
  for (let count = 0; count < 4; count++) {
    await using pair = await tcpPair();
    await send(pair.client, new Uint8Array(2100).fill(1));
    const bytes = (await soon(recv(pair.server)))!;
    assertEquals(new Uint8Array(bytes.buffer).includes(0x5e), false);
    abort(pair.server);
  }
});
