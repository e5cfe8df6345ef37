import { assert, assertEquals } from "@std/assert";
import { listen, recv, recvLine, send, serve, type ServeOptions } from "../../../mod.ts";
import { BareClient } from "../../support/bare_client.ts";
import { until } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { LOOPBACK } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";

const TRANSFERS = 200;
const LENGTH_BYTES = 512 * 1024;
const PIECE_BYTES = 64 * 1024;

/** Makes one piece of a transfer, by its offset. */
function pieceOf(transfer: number, at: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(PIECE_BYTES / 4);
  for (let index = 0; index < words.length; index++) {
    words[index] = Math.imul(transfer + 1, at + index * 4 + 1);
  }
  return new Uint8Array(words.buffer);
}

/** Checks each piece as it comes, and keeps no bytes. */
class Checker {
  readonly transfer: number;
  received = 0;
  #piece = new Uint8Array();

  constructor(transfer: number) {
    this.transfer = transfer;
  }

  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const inPiece = this.received % PIECE_BYTES;
      if (inPiece === 0) this.#piece = pieceOf(this.transfer, this.received);
      const count = Math.min(bytes.length - at, PIECE_BYTES - inPiece);
      const [ours, theirs] = [bytes.subarray(at, at + count), this.#piece.subarray(inPiece)];
      for (let index = 0; index < count; index++) {
        if (ours[index] !== theirs[index]) throw new Error(`byte ${this.received + index}`);
      }
      this.received += count;
      at += count;
    }
  }
}

Deno.test("V6: shutdown() drains 200 downloads: no byte is lost, and no client is reset", async () => {
  const listener = await listen(LOOPBACK);
  let halfway = 0;
  const server = serve(listener, async (connection, { signal }) => {
    const transfer = Number(await recvLine(connection));
    for (let at = 0; at < LENGTH_BYTES; at += PIECE_BYTES) {
      if (at === LENGTH_BYTES / 2) {
        halfway++;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      }
      await send(connection, pieceOf(transfer, at));
    }
  });
  const clients = await Promise.all(
    Array.from({ length: TRANSFERS }, async (_, transfer) => {
      const checker = new Checker(transfer);
      const client = await BareClient.connect(
        server.address,
        undefined,
        (bytes) => checker.take(bytes),
      );
      client.write(bytesOf(`${transfer}\n`));
      return { client, checker };
    }),
  );
  await until(() => halfway === TRANSFERS, "all transfers are under way");
  assertEquals(server.active, TRANSFERS);
  const ended = server.shutdown();
  for (const { client, checker } of clients) {
    await soon(client.end());
    assertEquals([client.code, client.ended], [undefined, true]);
    assertEquals(checker.received, LENGTH_BYTES);
    await soon(client.closed());
  }
  assertEquals(await soon(ended), { drained: TRANSFERS, aborted: 0 });
  assertEquals([server.accepted, server.active], [TRANSFERS, 0]);
});

Deno.test("V6: shutdown() drains 200 uploads, whose clients go on sending", async () => {
  const listener = await listen(LOOPBACK);
  const counts: number[] = [];
  const server = serve(listener, async (connection) => {
    let count = 0;
    for await (const bytes of connection) {
      if (count === 0) counts.push(bytes.length);
      count += bytes.length;
    }
    await send(connection, bytesOf(`${count}`));
  });
  const clients = await Promise.all(
    Array.from({ length: TRANSFERS }, () => BareClient.connect(server.address)),
  );
  for (const client of clients) client.write(new Uint8Array(1000));
  await until(() => counts.length === TRANSFERS, "all uploads are under way");
  const ended = server.shutdown();
  for (const client of clients) {
    client.write(new Uint8Array(500_000));
    client.finish();
  }
  for (const client of clients) {
    await soon(client.closed());
    assertEquals([client.code, textOf(client.received)], [undefined, "501000"]);
  }
  assertEquals(await soon(ended), { drained: TRANSFERS, aborted: 0 });
});

for (
  const [what, options] of [
    ["in the backlog", {}],
    ["in the backlog of a server that is full", { maxConnections: 1 }],
  ] as const satisfies readonly (readonly [string, ServeOptions])[]
) {
  Deno.test(`V6: shutdown() serves the clients ${what}, and resets none`, async () => {
    const listener = await listen(LOOPBACK);
    // The kernel has accepted them before anybody serves.
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => BareClient.connect(listener.address)),
    );
    for (const client of clients) client.write(bytesOf(`${client.port}`));
    const server = serve(listener, async (connection) => {
      await send(connection, (await recv(connection))!);
    }, options);
    assertEquals(server.active, 0);
    const ended = server.shutdown();
    for (const client of clients) {
      await soon(client.end());
      assertEquals([client.code, textOf(client.received)], [undefined, `${client.port}`]);
    }
    const { drained, aborted } = await soon(ended);
    assertEquals([drained + aborted, aborted, server.accepted], [100, 0, 100]);
    for (const client of clients) await soon(client.closed());
  });
}

Deno.test("V6: shutdown() under a stream of new clients loses no accepted request", async () => {
  const listener = await listen(LOOPBACK);
  const accepted = new Set<string>();
  const server = serve(listener, async (connection) => {
    const line = await recvLine(connection);
    if (line === null) return;
    accepted.add(line);
    await send(connection, bytesOf(line));
  });
  const answered = new Set<string>();
  let next = 0;
  let refused = false;
  const worker = async () => {
    while (!refused) {
      const name = `${next++}`;
      try {
        const client = await BareClient.connect(server.address);
        client.write(bytesOf(`${name}\n`));
        await client.end();
        if (textOf(client.received) === name) answered.add(name);
        await client.closed();
      } catch {
        refused = true;
      }
    }
  };
  const workers = Array.from({ length: 8 }, worker);
  await until(() => answered.size > 100, "requests are under way");
  const { aborted } = await soon(server.shutdown());
  await soon(Promise.all(workers));
  assertEquals(aborted, 0);
  assert(accepted.size > 100);
  assertEquals([...accepted].filter((name) => !answered.has(name)), []);
});
