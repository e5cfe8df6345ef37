import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  bindUdp,
  closeUdp,
  type OperationOptions,
  recvFrom,
  sendTo,
  type UdpSocket,
} from "../../../mod.ts";
import { countedSignal } from "../../support/listener_count.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

function numbered(index: number): Uint8Array {
  return new Uint8Array([index >> 8, index & 255]);
}

function numberOf({ bytes }: { bytes: Uint8Array }): number {
  return bytes[0] << 8 | bytes[1];
}

/** Gives the two functions that wait, on one socket. */
function waitingCalls(
  socket: UdpSocket,
): { name: string; call: (options: OperationOptions) => Promise<unknown> }[] {
  return [
    { name: "recvFrom", call: (options) => recvFrom(socket, options) },
    { name: "sendTo", call: (options) => sendTo(socket, socket.address, numbered(1), options) },
  ];
}

Deno.test("E4: timeout 0 rejects before any I/O, with a datagram ready", async () => {
  await using socket = await bindUdp(LOOPBACK);
  await sendTo(socket, socket.address, numbered(1));
  const error = await rejection(() => recvFrom(socket, { timeout: 0 }), "TimedOut", "recvFrom");
  assert(error.retryable);
  assertEquals(error.address, socket.address);
  assertEquals(numberOf(await soon(recvFrom(socket))), 1);
});

Deno.test("E4: sendTo() with timeout 0 or an aborted signal sends nothing", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  const to = receiver.address;
  const timedOut = () => sendTo(sender, to, numbered(1), { timeout: 0 });
  assertEquals((await rejection(timedOut, "TimedOut", "sendTo")).address, to);
  const aborted = () => sendTo(sender, to, numbered(2), { signal: AbortSignal.abort() });
  assertEquals((await rejection(aborted, "Aborted", "sendTo")).address, to);
  await sendTo(sender, to, numbered(3));
  assertEquals(numberOf(await soon(recvFrom(receiver))), 3);
});

for (const reason of [undefined, new Error("mine"), "a string", null, 0, { any: "object" }]) {
  Deno.test(`E4: an aborted signal's reason is the cause: ${reason}`, async () => {
    await using socket = await bindUdp(LOOPBACK);
    const signal = AbortSignal.abort(reason);
    for (const { name, call } of waitingCalls(socket)) {
      const error = await rejection(() => call({ signal }), "Aborted", name);
      assertStrictEquals(error.cause, signal.reason);
      assert(!error.retryable);
    }
    const controller = new AbortController();
    const pending = recvFrom(socket, { signal: controller.signal });
    controller.abort(reason);
    const error = await rejection(() => pending, "Aborted", "recvFrom");
    assertStrictEquals(error.cause, controller.signal.reason);
  });
}

Deno.test("E4: a deadline ends a pending recvFrom()", async () => {
  await using socket = await bindUdp(LOOPBACK);
  for (const timeout of [0.5, 1, 5]) {
    await rejection(() => recvFrom(socket, { timeout }), "TimedOut", "recvFrom");
  }
  const signal = AbortSignal.timeout(5);
  const error = await rejection(() => recvFrom(socket, { signal }), "Aborted", "recvFrom");
  assertEquals((error.cause as DOMException).name, "TimeoutError");
});

Deno.test("E4: a large timeout does not overflow into an immediate one", async () => {
  await using socket = await bindUdp(LOOPBACK);
  await using clock = await bindUdp(LOOPBACK);
  const timeouts = [2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, Number.MAX_VALUE, Infinity];
  const pending = timeouts.map((timeout) => recvFrom(socket, { timeout }));
  // A timer that overflowed would fire before this one.
  await rejection(() => recvFrom(clock, { timeout: 10 }), "TimedOut", "recvFrom");
  for (const [index, timeout] of timeouts.entries()) {
    await sendTo(socket, socket.address, numbered(index), { timeout });
  }
  assertEquals((await soon(Promise.all(pending))).map(numberOf), [0, 1, 2, 3, 4, 5]);
});

Deno.test("E4: NaN, negative and other timeouts are InvalidInput", async () => {
  await using socket = await bindUdp(LOOPBACK);
  for (const timeout of [NaN, -1, -Infinity, "5", null, {}]) {
    const options = { timeout } as OperationOptions;
    for (const { name, call } of waitingCalls(socket)) {
      await rejection(() => call(options), "InvalidInput", name);
    }
  }
  await sendTo(socket, socket.address, numbered(1));
  assertEquals(numberOf(await soon(recvFrom(socket))), 1);
});

Deno.test("E5: 10,000 settled calls leave no listener on their signal", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const { signal, listeners } = countedSignal();
  for (let round = 0; round < 5000; round++) {
    const received = recvFrom(socket, { signal, timeout: 60_000 });
    await sendTo(socket, socket.address, numbered(round), { signal, timeout: 60_000 });
    assertEquals(numberOf(await received), round);
  }
  await rejection(() => recvFrom(socket, { signal, timeout: 1 }), "TimedOut", "recvFrom");
  await rejection(
    () => sendTo(socket, socket.address, new Uint8Array(70_000), { signal }),
    "TooLarge",
    "sendTo",
  );
  assertEquals(listeners(), 0);
  const pending = recvFrom(socket, { signal });
  await closeUdp(socket);
  await rejection(() => pending, "Closed", "recvFrom");
  await rejection(() => recvFrom(socket, { signal }), "Closed", "recvFrom");
  assertEquals(listeners(), 0);
});

Deno.test("E6: recvFrom() gives the datagram that came after a timeout", async () => {
  await using socket = await bindUdp(LOOPBACK);
  for (let round = 0; round < 20; round++) {
    await rejection(() => recvFrom(socket, { timeout: 1 }), "TimedOut", "recvFrom");
    await sendTo(socket, socket.address, numbered(round));
    assertEquals(numberOf(await soon(recvFrom(socket))), round);
  }
});

Deno.test("E6: 1,000 deadlines of 1 ms lose and reorder no datagram", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  const total = 1000;
  // At most this many datagrams are under way, so that the kernel has no reason to drop one.
  const window = 16;
  const received: number[] = [];
  let sent = 0;
  const sendMore = async () => {
    while (sent < Math.min(total, received.length + window)) {
      await sendTo(sender, receiver.address, numbered(sent++));
    }
  };
  for (let round = 0; received.length < total && round < 50 * total; round++) {
    // Every second call starts before a datagram is there, and ends with its deadline or with the datagram.
    const call = recvFrom(receiver, { timeout: round % 2 === 0 ? 1 : 0.01 });
    // The deadline may come while datagrams are sent.
    const outcome = call.then(numberOf, ({ kind }) => kind);
    if (round % 3 === 0) await sendMore();
    const number = await soon(outcome);
    if (typeof number === "number") received.push(number);
    else assertEquals(number, "TimedOut");
  }
  assertEquals(received, Array.from({ length: total }, (_, index) => index));
});

Deno.test("E6: an abort in the same turn as the datagram loses nothing", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  let cancelled = 0;
  for (let round = 0; round < 500; round++) {
    const controller = new AbortController();
    const call = recvFrom(receiver, { signal: controller.signal });
    const sending = sendTo(sender, receiver.address, numbered(round));
    for (let turn = 0; turn < round % 5; turn++) await Promise.resolve();
    if (round % 7 === 0) await sending;
    controller.abort();
    const first = await call.then(numberOf, ({ kind }) => kind);
    await sending;
    if (first === "Aborted") {
      cancelled++;
      assertEquals(numberOf(await soon(recvFrom(receiver))), round);
    } else assertEquals(first, round);
  }
  assert(cancelled > 0);
});

Deno.test("E6: a call cancelled in the middle of the queue leaves the others in order", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Array.from(
    { length: 6 },
    (_, index) => recvFrom(socket, index % 3 === 1 ? { signal } : {}).then(numberOf),
  );
  const cancelled = [calls[1], calls[4]].map((call) =>
    rejection(() => call, "Aborted", "recvFrom")
  );
  controller.abort();
  await Promise.all(cancelled);
  for (let index = 0; index < 4; index++) await sendTo(socket, socket.address, numbered(index));
  const others = [calls[0], calls[2], calls[3], calls[5]];
  assertEquals(await soon(Promise.all(others)), [0, 1, 2, 3]);
});

Deno.test("E6: the iteration goes on with what came after a cancelled recvFrom()", async () => {
  await using socket = await bindUdp(LOOPBACK);
  await rejection(() => recvFrom(socket, { timeout: 1 }), "TimedOut", "recvFrom");
  await sendTo(socket, socket.address, numbered(1));
  await sendTo(socket, socket.address, numbered(2));
  const numbers: number[] = [];
  for await (const datagram of socket) if (numbers.push(numberOf(datagram)) === 2) break;
  assertEquals(numbers, [1, 2]);
});

for (const cancelled of [false, true]) {
  const when = cancelled ? "was cancelled" : "has resolved";
  Deno.test(`E6: a caller may change its buffer after sendTo() ${when}`, async () => {
    await using receiver = await bindUdp(LOOPBACK);
    await using sender = await bindUdp(LOOPBACK);
    const buffer = new Uint8Array(3000);
    for (let round = 0; round < 300; round++) {
      const mark = round % 200;
      const controller = new AbortController();
      const { signal } = controller;
      const sending = sendTo(sender, receiver.address, buffer.fill(mark), { signal });
      if (cancelled) {
        controller.abort();
        await rejection(() => sending, "Aborted", "sendTo");
      } else await sending;
      buffer.fill(255);
      // A cancelled datagram may still arrive, now or in a later round, but only with its first content.
      await sendTo(sender, receiver.address, numbered(round));
      for (;;) {
        const { bytes } = await soon(recvFrom(receiver));
        if (bytes.length === 2) break;
        assertEquals(bytes, new Uint8Array(3000).fill(bytes[0]));
        assert(bytes[0] < 200);
      }
    }
  });
}

Deno.test("a caller may change its buffer after sendTo() without options has resolved", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const buffer = new Uint8Array(1000);
  for (let round = 0; round < 200; round++) {
    await sendTo(socket, socket.address, buffer.fill(round));
    buffer.fill(255);
    assertEquals((await soon(recvFrom(socket))).bytes, new Uint8Array(1000).fill(round));
  }
});
