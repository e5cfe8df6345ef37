import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import {
  close,
  type CloseOptions,
  type Connection,
  connectionOver,
  send,
  SocketError,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";
import { virtualTime } from "../../support/virtual_time.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

/** Returns the error of a promise that rejects later, and handles its rejection from now on. */
function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => undefined, (error) => error);
}

/** A close towards a peer that takes nothing more, with two sends to flush. */
class FrozenClose {
  readonly transport = new ScriptedTransport();
  readonly connection: Connection = connectionOver(this.transport);
  readonly sends = ["abcde", "waits"].map((text) =>
    failureOf(send(this.connection, bytesOf(text)))
  );
  readonly closing: Promise<void>;
  readonly failure: Promise<unknown>;

  constructor(options?: CloseOptions) {
    this.closing = close(this.connection, options);
    this.failure = failureOf(this.closing);
  }

  async assertGaveUp(bytesSent: number[]): Promise<void> {
    const error = await this.failure;
    assertInstanceOf(error, SocketError);
    assertEquals([error.kind, error.operation], ["TimedOut", "close"]);
    for (const [index, send] of this.sends.entries()) {
      const lost = await send;
      assertInstanceOf(lost, SocketError);
      assertEquals([lost.kind, lost.operation], ["Closed", "send"]);
      assertEquals(lost.bytesSent, bytesSent[index]);
    }
    assertEquals(this.transport.log.at(-1), "close");
  }
}

const TIMEOUTS: [options: CloseOptions | undefined, timeout: number][] = [
  [undefined, 30_000],
  [{ linger: 0 }, 30_000],
  [{ linger: 60_000 }, 30_000],
  [{ linger: Infinity }, 30_000],
  [{ flushTimeout: 1 }, 1],
  [{ flushTimeout: 100_000, linger: 0 }, 100_000],
];

for (const [options, timeout] of TIMEOUTS) {
  const name = Object.entries(options ?? {}).map((entry) => entry.join(" ")).join(", ");
  Deno.test(`K5: with ${name || "no option"} the flush gives up when no byte has left for ${timeout} ms`, async () => {
    using time = virtualTime();
    const frozen = new FrozenClose(options);
    await time.pass(timeout - 1);
    assert(await isPending(frozen.closing));
    await time.pass(1);
    await frozen.assertGaveUp([0, 0]);
    assertEquals(time.running, 0);
  });
}

Deno.test("K5: flushTimeout 0 gives up at once all bytes that have not left", async () => {
  using time = virtualTime();
  const frozen = new FrozenClose({ flushTimeout: 0 });
  await time.pass(0);
  await frozen.assertGaveUp([0, 0]);
});

for (const flushTimeout of [-1, NaN, -Infinity]) {
  Deno.test(`K5: flushTimeout ${flushTimeout} is InvalidInput and closes nothing`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    await rejection(() => close(connection, { flushTimeout }), "InvalidInput", "close");
    assertEquals(transport.log, []);
  });
}

Deno.test("K5: as long as bytes leave, the flush goes on", async () => {
  using time = virtualTime();
  const frozen = new FrozenClose();
  const { transport } = frozen;
  for (let round = 0; round < 4; round++) {
    await time.pass(29_000);
    assert(await isPending(frozen.closing));
    (await transport.nextWrite()).take(1);
  }
  await time.pass(29_999);
  assert(await isPending(frozen.closing));
  await time.pass(1);
  await frozen.assertGaveUp([4, 0]);
  assertEquals(frozen.connection.bytesSent, 4);
});

Deno.test("K5: input is no progress of the flush", async () => {
  using time = virtualTime();
  const frozen = new FrozenClose();
  for (let round = 0; round < 30; round++) {
    (await frozen.transport.nextRead()).give(bytesOf("input"));
    await time.pass(1000);
  }
  await frozen.assertGaveUp([0, 0]);
});

Deno.test("K5: flushTimeout Infinity never gives the flush up", async () => {
  using time = virtualTime();
  const frozen = new FrozenClose({ flushTimeout: Infinity, linger: Infinity });
  await time.pass(2 ** 33);
  assert(await isPending(frozen.closing));
  (await frozen.transport.nextWrite()).take();
  (await frozen.transport.nextWrite()).take();
  (await frozen.transport.nextRead()).end();
  await frozen.closing;
  assertEquals(await Promise.all(frozen.sends), [undefined, undefined]);
});

Deno.test("K1: the linger begins when the flush has ended", async () => {
  using time = virtualTime();
  const frozen = new FrozenClose({ linger: 500 });
  await time.pass(900);
  (await frozen.transport.nextWrite()).take();
  await time.pass(900);
  (await frozen.transport.nextWrite()).take();
  await time.pass(499);
  assert(await isPending(frozen.closing));
  await time.pass(1);
  await frozen.closing;
  assertEquals(await Promise.all(frozen.sends), [undefined, undefined]);
});

Deno.test("K5: every pending close() rejects when the flush is given up, and a later one resolves", async () => {
  using time = virtualTime();
  const frozen = new FrozenClose();
  const second = failureOf(close(frozen.connection));
  const third = failureOf(frozen.connection[Symbol.asyncDispose]() as Promise<void>);
  await time.pass(30_000);
  await frozen.assertGaveUp([0, 0]);
  for (const failure of [await second, await third]) {
    assertInstanceOf(failure, SocketError);
    assertEquals(failure.kind, "TimedOut");
  }
  await close(frozen.connection);
});

Deno.test("K5: on real sockets a peer that takes nothing does not keep close() waiting for ever", async () => {
  await using pair = await tcpPair();
  const { client } = pair;
  const bytes = new Uint8Array(64 * 1024 * 1024);
  const sent = rejection(() => send(client, bytes), "Closed", "send");
  const error = await rejection(() => close(client, { flushTimeout: 200 }), "TimedOut", "close");
  assertEquals(error.address, client.remoteAddress);
  const { bytesSent } = await soon(sent);
  assert(bytesSent! >= 0 && bytesSent! < bytes.length, `${bytesSent}`);
});
