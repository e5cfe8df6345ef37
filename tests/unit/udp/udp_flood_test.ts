import { assert, assertEquals } from "@std/assert";
import { bindUdp, recvFrom, sendTo, type UdpSocket } from "../../../mod.ts";
import { soon } from "../../support/socket_errors.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const MARKER = 77;
const QUEUE_LIMIT = 2 * 1024 * 1024;
/** Bytes that may wait in the kernel besides; the system sets the limit. */
const KERNEL_BUFFER = 2 * 1024 * 1024;
/** True if this package keeps the receive queue, and counts in `dropped` what did not fit. */
const KEEPS_QUEUE = !("listenDatagram" in Deno);

/**
 * Sends `count` datagrams that nobody receives, and more while `goOn` is true. Those come with pauses, in which the
 * runtime takes them out of the kernel.
 */
async function flood(
  sender: UdpSocket,
  receiver: UdpSocket,
  { count, size, goOn = () => false }: { count: number; size: number; goOn?: () => boolean },
): Promise<number> {
  const bytes = new Uint8Array(size);
  let sent = 0;
  for (; sent < count; sent++) await sendTo(sender, receiver.address, bytes);
  for (; goOn() && sent < 20 * count; sent++) {
    await sendTo(sender, receiver.address, bytes);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return sent;
}

/** Receives everything that waits, until a datagram comes that was sent after all the others. */
async function drain(sender: UdpSocket, receiver: UdpSocket): Promise<number[]> {
  const lengths: number[] = [];
  const marker = new Uint8Array(MARKER).fill(MARKER);
  for (;;) {
    const datagram = await soon(
      recvFrom(receiver, { timeout: 50 }).catch((error) => {
        assertEquals(error.kind, "TimedOut");
      }),
    );
    if (datagram === undefined) await sendTo(sender, receiver.address, marker);
    else if (datagram.bytes.length === MARKER) return lengths;
    else lengths.push(datagram.bytes.length);
  }
}

for (
  const { size, count, overflows } of [
    { size: 1024, count: 5000, overflows: false },
    { size: 0, count: 5000, overflows: false },
    { size: 16_384, count: 500, overflows: true },
  ]
) {
  Deno.test(`U5: ${count} unread datagrams of ${size} bytes do no harm`, async () => {
    await using receiver = await bindUdp(LOOPBACK);
    await using sender = await bindUdp(LOOPBACK);
    // Systems differ in the number that the kernel keeps, so more may be needed.
    const goOn = () => overflows && KEEPS_QUEUE && receiver.dropped === 0;
    const sent = await flood(sender, receiver, { count, size, goOn });
    const lengths = await drain(sender, receiver);
    assert(lengths.length > 0);
    assert(lengths.every((length) => length === size));
    assert(lengths.length * size <= QUEUE_LIMIT + KERNEL_BUFFER, `${lengths.length} were kept`);
    assert(lengths.length + receiver.dropped <= sent);
    if (overflows) assertEquals(receiver.dropped > 0, KEEPS_QUEUE);
    else assert(KEEPS_QUEUE || receiver.dropped === 0);

    const before = receiver.dropped;
    for (const length of [0, 1, 65_507]) {
      await sendTo(sender, receiver.address, new Uint8Array(length).fill(9));
      const { bytes, from } = await soon(recvFrom(receiver));
      assertEquals(bytes, new Uint8Array(length).fill(9));
      assertEquals(from, sender.address);
    }
    assertEquals(receiver.dropped, before);
  });
}

Deno.test("U5: datagrams that were queued before a flood come first, in order", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  for (let index = 0; index < 50; index++) {
    await sendTo(sender, receiver.address, new Uint8Array(1 + index));
  }
  await flood(sender, receiver, { count: 3000, size: 1024 });
  for (let index = 0; index < 50; index++) {
    assertEquals((await soon(recvFrom(receiver))).bytes.length, 1 + index);
  }
});

Deno.test("U5: dropped stays 0 if somebody receives", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  for (let round = 0; round < 1000; round++) {
    await sendTo(sender, receiver.address, new Uint8Array(5000));
    assertEquals((await soon(recvFrom(receiver))).bytes.length, 5000);
  }
  assertEquals(receiver.dropped, 0);
});
