import { assert, assertEquals } from "@std/assert";
import { type Address, bindUdp, recvFrom, sendTo } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const FAMILIES = [
  { name: "IPv4", host: "127.0.0.1", largest: 65_507 },
  { name: "IPv6", host: "::1", largest: 65_527 },
];
/** The largest buffer of a small datagram (bytes). */
const SMALL_BUFFER = 4096;

/** Makes bytes that differ everywhere, so that a shift or a cut shows. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 31 + (index >> 8));
}

for (const { name, host, largest } of FAMILIES) {
  const loopback: Address = { host, port: 0 };

  Deno.test(`U2: datagrams of 0 to ${largest} bytes arrive whole over ${name}`, async () => {
    await using receiver = await bindUdp(loopback);
    await using sender = await bindUdp(loopback);
    for (const length of [0, 1, 2, 1472, 1473, 4096, 9000, 65_506, largest, 0, 3]) {
      await sendTo(sender, receiver.address, pattern(length));
      const { bytes, from } = await soon(recvFrom(receiver));
      assertEquals(bytes.length, length);
      assertEquals(bytes, pattern(length));
      assertEquals(from, sender.address);
    }
  });

  Deno.test(`U2: boundaries are kept over ${name}`, async () => {
    await using receiver = await bindUdp(loopback);
    await using sender = await bindUdp(loopback);
    const lengths = [3, 0, 1000, 1, 0, 0, 500, 2];
    for (const length of lengths) await sendTo(sender, receiver.address, pattern(length));
    const received: number[] = [];
    for (const _ of lengths) received.push((await soon(recvFrom(receiver))).bytes.length);
    assertEquals(received, lengths);
  });

  Deno.test(`U3: ${largest + 1} bytes are TooLarge over ${name}`, async () => {
    await using receiver = await bindUdp(loopback);
    await using sender = await bindUdp(loopback);
    for (const length of [largest + 1, 65_536, 1 << 20]) {
      const bytes = new Uint8Array(length);
      for (const options of [undefined, { timeout: 10_000 }]) {
        const error = await rejection(
          () => sendTo(sender, receiver.address, bytes, options),
          "TooLarge",
          "sendTo",
        );
        assertEquals(error.address, receiver.address);
        assert(!error.retryable);
      }
    }
    await sendTo(sender, receiver.address, pattern(largest));
    assertEquals((await soon(recvFrom(receiver))).bytes, pattern(largest));
  });

  Deno.test(`U6: a datagram's bytes are in a buffer of their own over ${name}`, async () => {
    await using receiver = await bindUdp(loopback);
    await using sender = await bindUdp(loopback);
    const kept: Uint8Array<ArrayBuffer>[] = [];
    for (const length of [0, 1, 100, 2047, 2048, 5000, 40_000, largest]) {
      await sendTo(sender, receiver.address, pattern(length));
      const { bytes } = await soon(recvFrom(receiver));
      const room = bytes.buffer.byteLength;
      assert(room <= Math.max(2 * length, SMALL_BUFFER), `${length} bytes in ${room}`);
      kept.push(bytes);
    }
    assertEquals(new Set(kept.map(({ buffer }) => buffer)).size, kept.length);
    for (const bytes of kept) assertEquals(bytes, pattern(bytes.length));
  });

  Deno.test(`U6: a datagram's bytes can be transferred over ${name}`, async () => {
    await using receiver = await bindUdp(loopback);
    await using sender = await bindUdp(loopback);
    for (const length of [1, 3000, largest]) {
      await sendTo(sender, receiver.address, pattern(length));
      const { bytes } = await soon(recvFrom(receiver));
      const moved = structuredClone(bytes, { transfer: [bytes.buffer] });
      assertEquals(bytes.length, 0);
      assertEquals(moved, pattern(length));
    }
  });
}

Deno.test("U3: a :: socket has the limit of IPv4 if it sends to IPv4", async () => {
  await using receiver = await bindUdp({ host: "127.0.0.1", port: 0 });
  await using sender = await bindUdp({ host: "::", port: 0 });
  const { port } = receiver.address;
  for (const host of ["127.0.0.1", "::ffff:127.0.0.1", "::ffff:7f00:1"]) {
    const to = { host, port };
    await rejection(() => sendTo(sender, to, new Uint8Array(65_508)), "TooLarge", "sendTo");
    await sendTo(sender, to, pattern(65_507));
    assertEquals((await soon(recvFrom(receiver))).bytes.length, 65_507);
  }
});

Deno.test("U3: a datagram to a name is TooLarge if it is too large for the address of the name", async () => {
  await using receiver = await bindUdp({ host: "127.0.0.1", port: 0 });
  await using sender = await bindUdp({ host: "127.0.0.1", port: 0 });
  const to = { host: "localhost", port: receiver.address.port };
  await rejection(() => sendTo(sender, to, new Uint8Array(65_508)), "TooLarge", "sendTo");
  await sendTo(sender, to, pattern(65_507));
  assertEquals((await soon(recvFrom(receiver))).bytes, pattern(65_507));
});

Deno.test("sendTo() sends the bytes of a view, not its whole buffer", async () => {
  await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
  await sendTo(socket, socket.address, pattern(100).subarray(10, 20));
  assertEquals((await soon(recvFrom(socket))).bytes, pattern(100).slice(10, 20));
});
