import { assert, assertEquals } from "@std/assert";
import {
  type Address,
  bindUdp,
  closeUdp,
  type OperationOptions,
  recvFrom,
  sendTo,
  type SocketErrorKind,
} from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const BYTES = new Uint8Array([1, 2, 3]);

Deno.test("E7: closeUdp() rejects pending recvFrom() calls at once, in call order", async () => {
  const socket = await bindUdp(LOOPBACK);
  const order: number[] = [];
  const calls = [0, 1, 2].map((index) =>
    rejection(
      () => recvFrom(socket, index === 1 ? { timeout: 60_000 } : undefined),
      "Closed",
      "recvFrom",
    ).then((error) => {
      order.push(index);
      return error;
    })
  );
  const closed = closeUdp(socket).then(() => order.push(3));
  for (const error of await Promise.all(calls)) {
    assertEquals(error.address, socket.address);
    assert(!error.retryable);
  }
  await soon(closed);
  assertEquals(order, [0, 1, 2, 3]);
});

Deno.test("E7: after closeUdp() every call is Closed", async () => {
  const socket = await bindUdp(LOOPBACK);
  await sendTo(socket, socket.address, BYTES);
  await closeUdp(socket);
  for (let again = 0; again < 3; again++) {
    await rejection(() => recvFrom(socket), "Closed", "recvFrom");
    await rejection(() => recvFrom(socket, { timeout: 50 }), "Closed", "recvFrom");
    await rejection(() => sendTo(socket, socket.address, BYTES), "Closed", "sendTo");
    await rejection(() => sendTo(socket, socket.address, new Uint8Array()), "Closed", "sendTo");
  }
});

Deno.test("E7: a call is Closed as soon as closeUdp() was called", async () => {
  const socket = await bindUdp(LOOPBACK);
  const closed = closeUdp(socket);
  await rejection(() => recvFrom(socket), "Closed", "recvFrom");
  await rejection(() => sendTo(socket, socket.address, BYTES), "Closed", "sendTo");
  await closed;
});

Deno.test("E7: closeUdp() and disposing are idempotent, at once and one after the other", async () => {
  const socket = await bindUdp(LOOPBACK);
  await soon(Promise.all([closeUdp(socket), closeUdp(socket), socket[Symbol.asyncDispose]()]));
  for (let again = 0; again < 3; again++) {
    assertEquals(await closeUdp(socket), undefined);
    assertEquals(await socket[Symbol.asyncDispose](), undefined);
  }
});

Deno.test("address and dropped can be read after closeUdp()", async () => {
  const socket = await bindUdp(LOOPBACK);
  const { address } = socket;
  await closeUdp(socket);
  assertEquals(socket.address, address);
  assertEquals(socket.dropped, 0);
});

Deno.test("E7: a sendTo() that is pending at closeUdp() resolves or is Closed", async () => {
  for (let round = 0; round < 50; round++) {
    const socket = await bindUdp(LOOPBACK);
    const outcomes = ["127.0.0.1", "localhost"].flatMap((host) =>
      [undefined, { timeout: 60_000 }].map((options) =>
        sendTo(socket, { host, port: socket.address.port }, BYTES, options)
          .then(() => undefined, (error) => error)
      )
    );
    await closeUdp(socket);
    for (const error of await soon(Promise.all(outcomes))) {
      if (error !== undefined) await rejection(() => Promise.reject(error), "Closed", "sendTo");
    }
  }
});

Deno.test("E7: closeUdp() ends the iteration without an error", async () => {
  const socket = await bindUdp(LOOPBACK);
  const lengths: number[] = [];
  const both = Promise.withResolvers<void>();
  const iterated = (async () => {
    for await (const { bytes } of socket) if (lengths.push(bytes.length) === 2) both.resolve();
  })();
  await sendTo(socket, socket.address, BYTES);
  await sendTo(socket, socket.address, new Uint8Array());
  await soon(both.promise);
  await closeUdp(socket);
  await soon(iterated);
  assertEquals(lengths, [3, 0]);
});

Deno.test("E7: closeUdp() within the body of the iteration ends it", async () => {
  const socket = await bindUdp(LOOPBACK);
  await sendTo(socket, socket.address, BYTES);
  await sendTo(socket, socket.address, BYTES);
  let count = 0;
  for await (const _ of socket) {
    count++;
    await closeUdp(socket);
  }
  assertEquals(count, 1);
});

Deno.test("E7: an iteration over a closed socket gives nothing", async () => {
  const socket = await bindUdp(LOOPBACK);
  await closeUdp(socket);
  for await (const _ of socket) throw new Error("a datagram from a closed socket");
});

Deno.test("U8: await using closes the socket and frees the port", async () => {
  let address: Address;
  {
    await using socket = await bindUdp(LOOPBACK);
    address = socket.address;
  }
  await using again = await bindUdp(address);
  assertEquals(again.address, address);
});

const BEFORE_CLOSING: readonly [string, (address: Address) => Promise<void>][] = [
  ["an idle socket", async (address) => {
    await closeUdp(await bindUdp(address));
  }],
  ["a pending recvFrom()", async (address) => {
    const socket = await bindUdp(address);
    const pending = rejection(() => recvFrom(socket), "Closed", "recvFrom");
    await closeUdp(socket);
    await pending;
  }],
  ["a parked read", async (address) => {
    const socket = await bindUdp(address);
    await rejection(() => recvFrom(socket, { timeout: 1 }), "TimedOut", "recvFrom");
    await closeUdp(socket);
  }],
  ["unread datagrams", async (address) => {
    const socket = await bindUdp(address);
    for (let index = 0; index < 10; index++) await sendTo(socket, socket.address, BYTES);
    await closeUdp(socket);
  }],
  ["an iteration that was left", async (address) => {
    const socket = await bindUdp(address);
    await sendTo(socket, socket.address, BYTES);
    for await (const _ of socket) break;
    await closeUdp(socket);
  }],
];

for (const [what, use] of BEFORE_CLOSING) {
  Deno.test(`U8: the port is free when closeUdp() resolves, after ${what}`, async () => {
    const probe = await bindUdp(LOOPBACK);
    await closeUdp(probe);
    for (let round = 0; round < 20; round++) await use(probe.address);
    await using again = await bindUdp(probe.address);
    assertEquals(again.address, probe.address);
  });
}

/** Each line has reasons that hold at once, and the kind that must win. */
const PRECEDENCE: readonly {
  closed: boolean;
  options: Record<string, unknown>;
  kind: SocketErrorKind;
}[] = [
  { closed: true, options: { timeout: NaN, signal: AbortSignal.abort() }, kind: "InvalidInput" },
  { closed: true, options: { signal: AbortSignal.abort(), timeout: 0 }, kind: "Closed" },
  { closed: true, options: { timeout: 0 }, kind: "Closed" },
  { closed: false, options: { timeout: -1, signal: AbortSignal.abort() }, kind: "InvalidInput" },
  { closed: false, options: { signal: AbortSignal.abort(), timeout: 0 }, kind: "Aborted" },
  { closed: false, options: { timeout: 0 }, kind: "TimedOut" },
];

for (const { closed, options, kind } of PRECEDENCE) {
  const given = Object.keys(options).join(" and ");
  Deno.test(`E10: ${kind} wins with ${given}, ${closed ? "closed" : "open"}`, async () => {
    await using socket = await bindUdp(LOOPBACK);
    if (closed) await closeUdp(socket);
    const given = options as OperationOptions;
    await rejection(() => recvFrom(socket, given), kind, "recvFrom");
    await rejection(() => sendTo(socket, socket.address, BYTES, given), kind, "sendTo");
  });
}

Deno.test("E10: bad addresses and bytes are InvalidInput on a closed socket, too", async () => {
  const socket = await bindUdp(LOOPBACK);
  await closeUdp(socket);
  const signal = AbortSignal.abort();
  for (
    const to of [{ host: "", port: 9 }, { host: "127.0.0.1", port: 0 }, { host: "::1", port: 9 }]
  ) {
    await rejection(() => sendTo(socket, to, BYTES), "InvalidInput", "sendTo");
    await rejection(() => sendTo(socket, to, BYTES, { signal }), "InvalidInput", "sendTo");
  }
  const bytes = "text" as unknown as Uint8Array;
  await rejection(() => sendTo(socket, socket.address, bytes), "InvalidInput", "sendTo");
});
