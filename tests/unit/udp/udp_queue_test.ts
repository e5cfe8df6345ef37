import { assert, assertEquals } from "@std/assert";
import { bindUdp, closeUdp, type OperationOptions, recvFrom, sendTo } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
/** Bytes that a datagram counts beside its payload, as `BindUdpOptions` says. */
const OVERHEAD = 256;

for (
  const { title, size, fits } of [
    { title: "100 bytes", size: 100, fits: 3 },
    { title: "0 bytes", size: 0, fits: 3 },
    { title: "65,507 bytes", size: 65_507, fits: 1 },
  ]
) {
  for (const options of [undefined, { timeout: 60_000 }]) {
    const how = options === undefined ? "" : ", also those that can be cancelled";
    Deno.test(`U7: ${fits} datagrams of ${title} wait, one more is QueueFull${how}`, async () => {
      await using receiver = await bindUdp(LOOPBACK);
      const sendQueueLimit = fits * (size + OVERHEAD);
      await using sender = await bindUdp(LOOPBACK, { sendQueueLimit });
      const bytes = new Uint8Array(size);
      // The system takes the first at once, so it does not wait.
      const sends = Array.from(
        { length: 1 + fits },
        () => sendTo(sender, receiver.address, bytes, options),
      );
      const over = () => sendTo(sender, receiver.address, bytes, options);
      const error = await rejection(over, "QueueFull", "sendTo");
      assert(error.retryable);
      assertEquals(error.address, receiver.address);
      await soon(Promise.all(sends));
      await sendTo(sender, receiver.address, bytes, options);
      for (let count = 0; count < fits + 2; count++) {
        assertEquals((await soon(recvFrom(receiver))).bytes.length, size);
      }
    });
  }
}

Deno.test("U7: an idle socket sends with a limit of 0, and nothing waits", async () => {
  await using socket = await bindUdp(LOOPBACK, { sendQueueLimit: 0 });
  for (const options of [undefined, { timeout: 60_000 }]) {
    const sent = sendTo(socket, socket.address, new Uint8Array(9), options);
    const next = () => sendTo(socket, socket.address, new Uint8Array(), options);
    await rejection(next, "QueueFull", "sendTo");
    await soon(sent);
    assertEquals((await soon(recvFrom(socket))).bytes.length, 9);
  }
});

Deno.test("U7: datagrams to a name wait for it, and count", async () => {
  await using socket = await bindUdp(LOOPBACK, { sendQueueLimit: OVERHEAD + 1 });
  const to = { host: "localhost", port: socket.address.port };
  const sent = sendTo(socket, to, new Uint8Array(1));
  await rejection(() => sendTo(socket, to, new Uint8Array(1)), "QueueFull", "sendTo");
  await soon(sent);
  await soon(sendTo(socket, to, new Uint8Array(1)));
});

Deno.test("U7: a datagram that was cancelled waits no longer", async () => {
  await using socket = await bindUdp(LOOPBACK, { sendQueueLimit: OVERHEAD });
  const first = sendTo(socket, socket.address, new Uint8Array(1));
  const controller = new AbortController();
  const waiting = sendTo(socket, socket.address, new Uint8Array(), { signal: controller.signal });
  const next = () => sendTo(socket, socket.address, new Uint8Array());
  await rejection(next, "QueueFull", "sendTo");
  controller.abort();
  const last = next();
  await rejection(() => waiting, "Aborted", "sendTo");
  await soon(Promise.all([first, last]));
});

Deno.test("U7: a datagram whose buffer was transferred waits no longer", async () => {
  await using socket = await bindUdp(LOOPBACK, { sendQueueLimit: OVERHEAD + 1 });
  const first = sendTo(socket, socket.address, new Uint8Array(1));
  const bytes = new Uint8Array(1);
  const waiting = sendTo(socket, socket.address, bytes);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  await rejection(() => waiting, "InvalidInput", "sendTo");
  await soon(first);
  const again = [1, 2].map(() => sendTo(socket, socket.address, new Uint8Array(1)));
  await soon(Promise.all(again));
});

Deno.test("U7: by default 16 MiB wait, empty datagrams included", async () => {
  const socket = await bindUdp(LOOPBACK);
  let refused = 0;
  for (let count = 0; count < 100_000; count++) {
    sendTo(socket, { host: "127.0.0.1", port: 9 }, new Uint8Array()).catch(({ kind }) => {
      if (kind === "QueueFull") refused++;
    });
  }
  // The loop ends before the second one is sent, and a slow machine need not send them all.
  await soon(closeUdp(socket));
  assertEquals(100_000 - refused, 1 + 16 * 1024 * 1024 / OVERHEAD);
});

Deno.test("U7: with a limit of Infinity nothing is refused", async () => {
  await using socket = await bindUdp(LOOPBACK, { sendQueueLimit: Infinity });
  const to = { host: "127.0.0.1", port: 9 };
  const bytes = new Uint8Array(60_000);
  await soon(Promise.all(Array.from({ length: 400 }, () => sendTo(socket, to, bytes))));
});

Deno.test("U7: datagrams to one name keep their order, whatever their options", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  await using sender = await bindUdp(LOOPBACK);
  const to = { host: "localhost", port: receiver.address.port };
  const options = [undefined, { timeout: 60_000 }];
  for (let round = 0; round < 20; round++) {
    const sends = Array.from(
      { length: 30 },
      (_, index) => sendTo(sender, to, new Uint8Array([index]), options[index % 2]),
    );
    for (let index = 0; index < sends.length; index++) {
      assertEquals((await soon(recvFrom(receiver))).bytes[0], index);
    }
    await soon(Promise.all(sends));
  }
});

Deno.test("U7: a datagram to a name that was cancelled meanwhile is not sent", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const to = { host: "localhost", port: socket.address.port };
  const controller = new AbortController();
  const send = (value: number, options?: OperationOptions) =>
    sendTo(socket, to, new Uint8Array([value]), options);
  const cancelled = send(1, { signal: controller.signal });
  const kept = send(2);
  controller.abort();
  await rejection(() => cancelled, "Aborted", "sendTo");
  await soon(kept);
  assertEquals((await soon(recvFrom(socket))).bytes[0], 2);
});

Deno.test("U7: an unknown name fails all datagrams that wait for it, and no others", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const unknown = { host: "no-such-host.invalid", port: 9 };
  const failing = [undefined, { timeout: 60_000 }, undefined].map((options) =>
    rejection(() => sendTo(socket, unknown, new Uint8Array(1), options), "HostNotFound", "sendTo")
  );
  await soon(sendTo(socket, socket.address, new Uint8Array([7])));
  for (const error of await Promise.all(failing)) assertEquals(error.address, unknown);
  assertEquals((await soon(recvFrom(socket))).bytes[0], 7);
});

for (const host of ["127.0.0.1", "localhost"]) {
  for (const options of [undefined, { timeout: 60_000 }]) {
    const title = `to ${host}${options === undefined ? "" : " with a timeout"}`;
    Deno.test(`U8: closeUdp() sends datagrams that nobody awaited, ${title}`, async () => {
      await using receiver = await bindUdp(LOOPBACK);
      const sender = await bindUdp(LOOPBACK);
      const to = { host, port: receiver.address.port };
      for (let index = 0; index < 50; index++) {
        void sendTo(sender, to, new Uint8Array([index]), options);
      }
      await soon(closeUdp(sender));
      for (let index = 0; index < 50; index++) {
        assertEquals((await soon(recvFrom(receiver))).bytes[0], index);
      }
    });
  }
}

Deno.test("U8: await using sends datagrams that nobody awaited", async () => {
  await using receiver = await bindUdp(LOOPBACK);
  {
    await using sender = await bindUdp(LOOPBACK);
    for (let index = 0; index < 50; index++) {
      void sendTo(sender, receiver.address, new Uint8Array([index]));
    }
  }
  for (let index = 0; index < 50; index++) {
    assertEquals((await soon(recvFrom(receiver))).bytes[0], index);
  }
});

Deno.test("U8: sends that were accepted before closeUdp() resolve before it does", async () => {
  const socket = await bindUdp(LOOPBACK);
  const settled: string[] = [];
  for (const host of ["127.0.0.1", "localhost"]) {
    for (let count = 0; count < 3; count++) {
      void sendTo(socket, { host, port: 9 }, new Uint8Array(1)).then(() => settled.push(host));
    }
  }
  const closed = closeUdp(socket);
  await rejection(() => sendTo(socket, socket.address, new Uint8Array(1)), "Closed", "sendTo");
  await rejection(() => recvFrom(socket), "Closed", "recvFrom");
  await soon(closed);
  assertEquals(settled.length, 6);
});

Deno.test("U8: a send that fails while closeUdp() waits keeps its own error, and needs no handler", async () => {
  const socket = await bindUdp(LOOPBACK);
  const unknown = { host: "no-such-host.invalid", port: 9 };
  void sendTo(socket, unknown, new Uint8Array(1));
  const error = rejection(
    () => sendTo(socket, unknown, new Uint8Array(1)),
    "HostNotFound",
    "sendTo",
  );
  await soon(closeUdp(socket));
  await error;
});

Deno.test("U8: closeUdp() goes on if all waiting sends are cancelled", async () => {
  const socket = await bindUdp(LOOPBACK);
  const controller = new AbortController();
  const sends = [1, 2, 3].map(() =>
    sendTo(socket, { host: "localhost", port: 9 }, new Uint8Array(1), controller)
  );
  const closed = closeUdp(socket);
  controller.abort();
  for (const sent of sends) await rejection(() => sent, "Aborted", "sendTo");
  await soon(closed);
});
