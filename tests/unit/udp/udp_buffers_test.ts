import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { bindUdp, recvFrom, sendTo } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { transfer } from "../../support/transferring.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };

/** Makes views whose buffer is gone or too short, each in one way. */
const GONE: Record<string, () => Uint8Array<ArrayBuffer>> = {
  "transferred"() {
    const bytes = bytesOf("gone");
    transfer(bytes);
    return bytes;
  },
  "transferred, of no bytes"() {
    const bytes = new Uint8Array();
    transfer(bytes);
    return bytes;
  },
  "shortened"() {
    const buffer = new ArrayBuffer(4, { maxByteLength: 8 });
    const bytes = new Uint8Array(buffer, 2, 2);
    buffer.resize(3);
    return bytes;
  },
};

for (const [how, make] of Object.entries(GONE)) {
  Deno.test(`E1: sendTo() of a buffer that was ${how} before is InvalidInput, and nothing is sent`, async () => {
    await using socket = await bindUdp(LOOPBACK);
    for (const host of ["127.0.0.1", "localhost"]) {
      for (const options of [undefined, { timeout: 60_000 }]) {
        const to = { host, port: socket.address.port };
        const call = () => sendTo(socket, to, make(), options);
        const error = await rejection(call, "InvalidInput", "sendTo");
        assert(error.message.includes("the buffer of bytes has been transferred"), error.message);
      }
    }
    await sendTo(socket, socket.address, bytesOf("next"));
    assertEquals(textOf((await soon(recvFrom(socket))).bytes), "next");
  });
}

Deno.test("sendTo() on an idle socket takes the bytes within the call", async () => {
  await using socket = await bindUdp(LOOPBACK);
  for (const host of ["127.0.0.1", "localhost"]) {
    const bytes = bytesOf("whole");
    const sending = sendTo(socket, { host, port: socket.address.port }, bytes);
    transfer(bytes);
    await soon(sending);
    assertEquals(textOf((await soon(recvFrom(socket))).bytes), "whole");
  }
});

Deno.test("E1: sendTo() of a buffer that is transferred while it waits is InvalidInput, and others go on", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const first = sendTo(socket, socket.address, bytesOf("first"));
  const [gone, empty] = [bytesOf("gone"), new Uint8Array()];
  const waiting = [gone, empty].map((bytes) =>
    rejection(() => sendTo(socket, socket.address, bytes), "InvalidInput", "sendTo")
  );
  const copied = bytesOf("copied");
  const last = sendTo(socket, socket.address, copied, { timeout: 60_000 });
  for (const bytes of [gone, empty, copied]) transfer(bytes);
  for (const error of await Promise.all(waiting)) {
    assertEquals(
      error.message,
      "sendTo: the buffer was transferred or resized while its send waited",
    );
  }
  await soon(Promise.all([first, last]));
  for (const text of ["first", "copied"]) {
    assertEquals(textOf((await soon(recvFrom(socket))).bytes), text);
  }
});

Deno.test("E1: sendTo() of a buffer that is resized while it waits is InvalidInput", async () => {
  await using socket = await bindUdp(LOOPBACK);
  for (const length of [3, 5]) {
    const first = sendTo(socket, socket.address, bytesOf("first"));
    const buffer = new ArrayBuffer(4, { maxByteLength: 8 });
    const call = () => sendTo(socket, socket.address, new Uint8Array(buffer));
    const second = rejection(call, "InvalidInput", "sendTo");
    buffer.resize(length);
    await second;
    await soon(first);
    assertEquals(textOf((await soon(recvFrom(socket))).bytes), "first");
  }
});

Deno.test("E6: a waiting sendTo() that can be cancelled copies the bytes, also of a node:buffer", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const first = sendTo(socket, socket.address, bytesOf("first"));
  const buffer = Buffer.from("second");
  const second = sendTo(socket, socket.address, buffer, { timeout: 60_000 });
  buffer.fill(0);
  await soon(Promise.all([first, second]));
  for (const text of ["first", "second"]) {
    assertEquals(textOf((await soon(recvFrom(socket))).bytes), text);
  }
});

Deno.test("sendTo() sends from shared and from resizable memory", async () => {
  await using socket = await bindUdp(LOOPBACK);
  const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(1);
  const growing = new Uint8Array(new ArrayBuffer(2, { maxByteLength: 8 })).fill(1);
  for (const bytes of [shared, growing]) {
    await sendTo(socket, socket.address, bytes);
    assertEquals((await soon(recvFrom(socket))).bytes, new Uint8Array([1, 1]));
  }
});
