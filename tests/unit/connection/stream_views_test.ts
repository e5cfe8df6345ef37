import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  abort,
  close,
  closeWrite,
  type Connection,
  connectionOver,
  recv,
  recvExactly,
  recvInto,
  recvLine,
  send,
  SocketError,
} from "../../../mod.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { receiveAll, tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

/** Ways to ask `readable` for bytes and to give up before they come. The lock is free after them. */
const GIVING_UP: Record<string, (connection: Connection) => Promise<void>> = {
  async "a reader that released its lock"({ readable }) {
    const reader = readable.getReader();
    const read = assertRejects(() => reader.read(), TypeError);
    await turns();
    reader.releaseLock();
    await read;
  },
  async "a reader that released its lock in the same turn"({ readable }) {
    const reader = readable.getReader();
    const reads = [reader.read(), reader.read()].map((read) =>
      assertRejects(() => read, TypeError)
    );
    reader.releaseLock();
    await Promise.all(reads);
  },
  async "a BYOB reader that released its lock"({ readable }) {
    const reader = readable.getReader({ mode: "byob" });
    const read = assertRejects(() => reader.read(new Uint16Array(8)), TypeError);
    await turns();
    reader.releaseLock();
    await read;
  },
  async "a reader of the platform's own"({ readable }) {
    const reader = new ReadableStreamDefaultReader(readable);
    const read = assertRejects(() => reader.read(), TypeError);
    await turns();
    reader.releaseLock();
    await read;
  },
  async "a pipe that was aborted"({ readable }) {
    const controller = new AbortController();
    const options = { signal: controller.signal, preventCancel: true };
    const piped = assertRejects(() => readable.pipeTo(new WritableStream(), options));
    await turns();
    controller.abort();
    await piped;
  },
  async "a pipe through a transform that was aborted"({ readable }) {
    const controller = new AbortController();
    const options = { signal: controller.signal, preventCancel: true };
    const out = readable.pipeThrough(new TransformStream<Uint8Array, Uint8Array>(), options);
    const read = assertRejects(() => out.getReader().read());
    await turns();
    controller.abort();
    await read;
    await turns();
  },
  async "a pipe whose destination broke"({ readable }) {
    let broken: WritableStreamDefaultController;
    const destination = new WritableStream({ start: (controller) => void (broken = controller) });
    const piped = assertRejects(() => readable.pipeTo(destination, { preventCancel: true }));
    await turns();
    broken!.error(new Error("full"));
    await piped;
  },
};

/** Calls that take "first" and more, in the order it was sent. */
const NEXT: Record<string, (connection: Connection) => Promise<unknown>> = {
  "recv()": async (connection) => textOf(await recv(connection)),
  "recvExactly()": async (connection) => textOf(await recvExactly(connection, 6)),
  "recvLine()": async (connection) => await recvLine(connection) + "\n",
  async "recvInto()"(connection) {
    const buffer = new Uint8Array(6);
    assertEquals(await recvInto(connection, buffer), 6);
    return textOf(buffer);
  },
  async "another reader"({ readable }) {
    const reader = readable.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    return textOf(value!);
  },
  async "a BYOB reader"({ readable }) {
    const reader = readable.getReader({ mode: "byob" });
    const { value } = await reader.read(new Uint8Array(6));
    reader.releaseLock();
    return textOf(value!);
  },
  async "an iteration"({ readable }) {
    for await (const bytes of readable.values({ preventCancel: true })) return textOf(bytes);
  },
};

for (const [who, giveUp] of Object.entries(GIVING_UP)) {
  for (const [what, next] of Object.entries(NEXT)) {
    Deno.test(`R6: bytes that come after ${who} are the next call's: ${what}`, async () => {
      for (const before of [true, false]) {
        const transport = new ScriptedTransport();
        const connection = connectionOver(transport);
        await giveUp(connection);
        const early = before ? undefined : next(connection);
        const read = transport.reads === 0 ? undefined : await transport.nextRead();
        read?.give(bytesOf("first\n"));
        await turns();
        const got = early ?? next(connection);
        if (read === undefined) (await transport.nextRead()).give(bytesOf("first\n"));
        assertEquals(await soon(got), "first\n");
        const after = recv(connection);
        (await transport.nextRead()).give(bytesOf("second"));
        assertEquals(textOf(await soon(after)), "second");
        assertEquals(connection.bytesReceived, 12);
      }
    });
  }
}

Deno.test("R6: the end and a failure after releaseLock() are the next call's as well", async () => {
  for (const fail of [false, true]) {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    await GIVING_UP["a reader that released its lock"](connection);
    const read = await transport.nextRead();
    if (fail) read.fail(new Deno.errors.ConnectionReset("Connection reset by peer (os error 104)"));
    else read.end();
    await turns();
    const reader = connection.readable.getReader();
    if (fail) await rejection(() => reader.read(), "ConnectionReset", "recv");
    else assertEquals((await soon(reader.read())).done, true);
  }
});

Deno.test("R6: a lock that is taken again without a read takes nothing", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  await GIVING_UP["a reader that released its lock"](server);
  const reader = server.readable.getReader();
  await send(client, bytesOf("first"));
  assertEquals(textOf(await soon(recv(server))), "first");
  const read = reader.read();
  await send(client, bytesOf("second"));
  assertEquals(textOf((await soon(read)).value!), "second");
});

Deno.test("R6: a released reader cannot read, and makes no call Busy", async () => {
  const connection = connectionOver(new ScriptedTransport());
  const readers = [() => connection.readable.getReader(), () => {
    return connection.readable.getReader({ mode: "byob" });
  }];
  for (const make of readers) {
    const reader = make();
    reader.releaseLock();
    reader.releaseLock();
    await assertRejects(() => reader.read(new Uint8Array(1)), TypeError);
  }
  const pending = recv(connection);
  assert(await isPending(pending));
  const end = rejection(() => pending, "Closed", "recv");
  abort(connection);
  await end;
});

for (const mode of [undefined, "byob"] as const) {
  Deno.test(`R6: a Busy read does not end readable: ${mode ?? "default"} reader`, async () => {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const pending = recv(server);
    const reader = server.readable.getReader({ mode } as { mode: "byob" });
    const view = () => new Uint8Array(9);
    await rejection(() => reader.read(view()), "Busy", "recv");
    await send(client, bytesOf("recv's"));
    assertEquals(textOf(await soon(pending)), "recv's");
    const read = reader.read(view());
    await rejection(() => recv(server), "Busy", "recv");
    await send(client, bytesOf("reader's"));
    assertEquals(textOf((await soon(read)).value!), "reader's");
    // One Busy read does not keep the lock, and the next bytes stay in order.
    const again = recv(server);
    await rejection(() => reader.read(view()), "Busy", "recv");
    reader.releaseLock();
    await send(client, bytesOf("again"));
    assertEquals(textOf(await soon(again)), "again");
  });
}

Deno.test("R6: pipes, tees and iterations wait for the call that is under way", async () => {
  const ways: Record<string, (connection: Connection) => Promise<string>> = {
    async "for await"({ readable }) {
      for await (const bytes of readable.values({ preventCancel: true })) return textOf(bytes)!;
      return "the end";
    },
    async "pipeTo"({ readable }) {
      const { promise, resolve } = Promise.withResolvers<string>();
      void readable.pipeTo(
        new WritableStream({ write: (bytes) => resolve(textOf(bytes as Uint8Array)!) }),
      ).catch(() => {});
      return await promise;
    },
    async "tee"({ readable }) {
      const [left, right] = readable.tee().map((branch) => branch.getReader());
      const [one, other] = await Promise.all([left.read(), right.read()]);
      assertEquals(one.value, other.value);
      return textOf(one.value!)!;
    },
  };
  for (const way of Object.values(ways)) {
    for (const call of [recv, (c: Connection) => recvInto(c, new Uint8Array(99))]) {
      await using pair = await tcpPair();
      const { client, server } = pair;
      const pending: Promise<unknown> = call(server);
      const got = way(server);
      await turns();
      await send(client, bytesOf("one"));
      await soon(pending);
      await send(client, bytesOf("two"));
      assertEquals(await soon(got), "two");
    }
  }
});

Deno.test("R6: a transport whose error says Busy breaks readable", async () => {
  const transport = new ScriptedTransport();
  const reader = connectionOver(transport).readable.getReader();
  const read = assertRejects(() => reader.read(), SocketError);
  (await transport.nextRead()).fail(new Deno.errors.Busy("mine"));
  await soon(read);
  await soon(assertRejects(() => reader.closed, SocketError));
});

Deno.test("R6: cancelling at any moment loses nothing and leaves the connection open", async () => {
  for (let moment = 0; moment < 8; moment++) {
    await using pair = await tcpPair();
    const { client, server } = pair;
    const reader = server.readable.getReader();
    const read = reader.read();
    if (moment % 2 === 1) await turns(moment >> 1);
    const cancelled = reader.cancel("enough");
    await send(client, bytesOf("kept"));
    await soon(cancelled);
    assertEquals((await soon(read)).done, true);
    assertEquals(textOf(await soon(recv(server))), "kept");
  }
});

Deno.test("R6: close() and abort() at any moment of a read reject it, nothing is unhandled", async () => {
  using unhandled = watchUnhandled();
  for (const mode of [undefined, "byob"] as const) {
    for (const end of [close, (c: Connection) => Promise.resolve(abort(c))]) {
      for (const wait of [0, 1, 2]) {
        await using pair = await tcpPair();
        const reader = pair.server.readable.getReader({ mode } as { mode: "byob" });
        const read = rejection(() => reader.read(new Uint8Array(4)), "Closed", "recv");
        await turns(wait);
        void end(pair.server);
        await read;
        await rejection(() => reader.read(new Uint8Array(4)), "Closed", "recv");
      }
    }
  }
  assertEquals(await unhandled.seen(), []);
});

Deno.test("R6: tee() gives both branches everything, BYOB readers included", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const [left, right] = server.readable.tee();
  const sent = crypto.getRandomValues(new Uint8Array(60_000));
  const sending = send(client, sent).then(() => closeWrite(client));
  const byob = left.getReader({ mode: "byob" });
  const readAll = async () => {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const { done, value } = await byob.read(new Uint8Array(777));
      if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
      chunks.push(value);
    }
  };
  const [one, other] = await soon(
    Promise.all([readAll(), new Response(right).bytes(), sending]),
  );
  assertEquals([one, other], [sent, sent]);
});

Deno.test("R6: tee() after a released BYOB read loses nothing and does not hang", async () => {
  await using pair = await tcpPair();
  await GIVING_UP["a BYOB reader that released its lock"](pair.server);
  await send(pair.client, bytesOf("all of it"));
  await turns();
  const [left] = pair.server.readable.tee();
  const reader = left.getReader({ mode: "byob" });
  const first = await soon(reader.read(new Uint8Array(3)));
  const rest = await soon(reader.read(new Uint8Array(99)));
  assertEquals([textOf(first.value!), textOf(rest.value!)], ["all", " of it"]);
});

Deno.test("R6: pipeThrough() carries everything, and a failure of the transform cancels", async () => {
  await using pair = await tcpPair();
  const { client, server } = pair;
  const text = client.readable.pipeThrough(new TextDecoderStream());
  await send(server, bytesOf("läuft"));
  await closeWrite(server);
  assertEquals((await soon(Array.fromAsync(text))).join(""), "läuft");
  const failing = new TransformStream({
    transform(): never {
      throw new Error("mine");
    },
  });
  const out = server.readable.pipeThrough(failing).getReader();
  const read = assertRejects(() => out.read(), Error, "mine");
  await send(client, bytesOf("x"));
  await soon(read);
  await send(client, bytesOf("next"));
  assertEquals(textOf(await soon(recv(server))), "next");
});

Deno.test("R6: getReader() fails as on any stream: taken locks, modes that do not exist", async () => {
  await using pair = await tcpPair();
  const { readable } = pair.server;
  for (const mode of ["bytes", null, ""]) {
    let error: unknown;
    try {
      readable.getReader({ mode } as never);
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof TypeError, `mode ${mode}`);
  }
  const reader = readable.getReader();
  for (const take of [() => readable.getReader(), () => readable.tee(), () => readable.values()]) {
    let error: unknown;
    try {
      take();
    } catch (thrown) {
      error = thrown;
    }
    assert(error instanceof TypeError);
  }
  await assertRejects(() => readable.cancel(), TypeError);
  await assertRejects(() => readable.pipeTo(new WritableStream()), TypeError);
  const read = reader.read();
  await send(pair.client, bytesOf("still mine"));
  assertEquals(textOf((await soon(read)).value!), "still mine");
  reader.releaseLock();
  await closeWrite(pair.client);
  assertEquals(await soon(receiveAll(pair.server)), new Uint8Array(0));
});

Deno.test("R6: bytes that come while an aborted pipe lets go are the next call's", async () => {
  for (const preventCancel of [false, true]) {
    for (const through of [false, true]) {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const controller = new AbortController();
      const options = { signal: controller.signal, preventCancel };
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const ended = through
        ? connection.readable.pipeThrough({ readable, writable }, options).getReader().read()
        : connection.readable.pipeTo(new WritableStream(), options);
      const rejected = assertRejects(() => ended);
      const read = await transport.nextRead();
      controller.abort();
      read.give(bytesOf("kept"));
      await rejected;
      assertEquals(textOf(await soon(recv(connection))), "kept");
    }
  }
});
