import { assert, assertEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import fc from "fast-check";
import {
  abort,
  type Codec,
  type Connection,
  connectionOver,
  delimited,
  framed,
  type FramedConnection,
  lengthPrefixed,
  lines,
  netstrings,
  recv,
  recvExactly,
  recvFrame,
  recvInto,
  recvLine,
  recvUntil,
  send,
  sendFrame,
  SocketError,
  varintPrefixed,
} from "../../../mod.ts";
import { ChunkTransport } from "../../support/chunk_transport.ts";
import { cut, encodeAll } from "../../support/codec_streams.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { randomRuns } from "../../support/runs.ts";

/** Settings of fast-check, which prints the seed and the path of a failure. */
const parameters = { numRuns: randomRuns(10_000) };

const DELIMITER = bytesOf(";;");
const NAMES = ["lengthPrefixed", "varintPrefixed", "netstrings", "delimited", "lines"] as const;
const CODECS: Readonly<Record<typeof NAMES[number], Codec<Uint8Array>>> = {
  lengthPrefixed: lengthPrefixed({ bytes: 1 }),
  varintPrefixed: varintPrefixed(),
  netstrings: netstrings(),
  delimited: delimited(DELIMITER),
  lines: {
    encode: (frame) => lines().encode(textOf(frame)!),
    decoder() {
      const inner = lines().decoder();
      const asBytes = (line: string | undefined) => line === undefined ? line : bytesOf(line);
      return { decode: (input) => asBytes(inner.decode(input)) };
    },
  },
};

interface Item {
  /** Name of a codec of the list, or of a function. */
  readonly how: string;
  readonly text: string;
  /** True if the decoder is that of the connection's last frames in this format. */
  readonly same: boolean;
  /** Number of calls that are made and cancelled at once before one succeeds. */
  readonly cancelled: number;
}

// Semicolons, but never two in a row or one at the end: no text has a delimiter in it.
const text = fc.stringMatching(/^([a-z]|;[a-z]){0,12}$/);
const item: fc.Arbitrary<Item> = fc.record({
  how: fc.constantFrom(
    ...NAMES,
    ...["recvExactly", "recvUntil", "recvLine", "recv", "recvInto", "recvInto with a timeout"],
  ),
  text,
  same: fc.boolean(),
  cancelled: fc.constantFrom(0, 0, 0, 1, 2),
});

function wireOf({ how, text }: Item): Uint8Array {
  if (how in CODECS) return encodeAll(CODECS[how as typeof NAMES[number]], bytesOf(text));
  if (how === "recvUntil") return bytesOf(`${text};;`);
  return bytesOf(how === "recvLine" ? `${text}\n` : text);
}

/** Receives items with the readers that they were made for, in any chunks. */
class Receiving {
  readonly #connection: Connection;
  readonly #framed = new Map<string, FramedConnection<Uint8Array>>();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async receive(item: Item): Promise<string> {
    for (let left = item.cancelled; left > 0; left--) {
      const controller = new AbortController();
      const call = this.#once(item, { signal: controller.signal });
      controller.abort();
      const given = await call.catch((error) => {
        assert(error instanceof SocketError && error.kind === "Aborted", `${error}`);
        return undefined;
      });
      // A call for an item that has come whole resolves at once, and cannot be cancelled.
      if (given !== undefined) return given;
    }
    return await this.#once(item, undefined);
  }

  async #once({ how, text, same }: Item, options?: { signal: AbortSignal }): Promise<string> {
    const connection = this.#connection;
    if (how in CODECS) {
      const codec = CODECS[how as typeof NAMES[number]];
      let stream = this.#framed.get(how);
      if (stream === undefined || !same) this.#framed.set(how, stream = framed(connection, codec));
      return textOf(await recvFrame(stream, options))!;
    }
    if (how === "recvUntil") return textOf(await recvUntil(connection, DELIMITER, options))!;
    if (how === "recvLine") return (await recvLine(connection, options))!;
    if (how === "recvExactly") return textOf(await recvExactly(connection, text.length, options))!;
    return text.length === 0 ? "" : await this.#anyBytes(how, text.length, options);
  }

  /** A call of `recv` gives any part; the parts of earlier calls, which succeeded before their cancel, count too. */
  async #anyBytes(how: string, length: number, options?: { signal: AbortSignal }) {
    const missing = length - this.#part.length;
    const bytes = await this.#some(how, missing, options);
    this.#part += textOf(bytes);
    while (this.#part.length < length) {
      this.#part += textOf(await this.#some(how, length - this.#part.length, undefined));
    }
    const whole = this.#part;
    this.#part = "";
    return whole;
  }

  #part = "";

  async #some(how: string, most: number, options?: { signal: AbortSignal }): Promise<Uint8Array> {
    if (how === "recv") return (await recv(this.#connection, { ...options, maxBytes: most }))!;
    const buffer = new Uint8Array(most);
    const count = how === "recvInto" && options === undefined
      ? await recvInto(this.#connection, buffer)
      : await recvInto(this.#connection, buffer, { timeout: 60_000, ...options });
    return buffer.subarray(0, count!);
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 40, size: "max" });

Deno.test("F6: any mixture of readers gives the same frames from any chunks, cancelled or not", async () => {
  const items = fc.array(item, { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(items, sizes, async (items, sizes) => {
      const wires = items.map(wireOf);
      const stream = concat(wires);
      const connection = connectionOver(new ChunkTransport(cut(stream, sizes)));
      const receiving = new Receiving(connection);
      let length = 0;
      for (const [index, item] of items.entries()) {
        assertEquals(await receiving.receive(item), item.text);
        assertEquals(connection.bytesReceived, length += wires[index].length);
      }
      for (let round = 0; round < 2; round++) assertEquals(await recv(connection), null);
      abort(connection);
    }),
    parameters,
  );
});

/** Bytes that have a meaning for at least one reader. */
const meaningful = fc.array(
  fc.oneof(
    fc.constantFrom(...bytesOf("0123456789:;,\r\nPROXY ")),
    fc.constantFrom(0, 1, 2, 3, 5, 127, 128, 255),
    fc.integer({ min: 0, max: 255 }),
  ),
  { maxLength: 120, size: "max" },
);

Deno.test("F5: any mixture of readers makes frames or SocketErrors of any bytes, and counts all bytes", async () => {
  const hows = fc.infiniteStream(fc.constantFrom(
    ...NAMES,
    ...["recvExactly", "recvUntil", "recvLine", "recv", "recvInto", "next"],
  ));
  await fc.assert(
    fc.asyncProperty(meaningful, sizes, hows, async (list, sizes, hows) => {
      const stream = new Uint8Array(list);
      const connection = connectionOver(new ChunkTransport(cut(stream, sizes)));
      const streams = Object.fromEntries(
        NAMES.map((name) => [name, framed(connection, CODECS[name])]),
      );
      const calls: Record<string, () => Promise<unknown>> = {
        ...Object.fromEntries(NAMES.map((name) => [name, () => recvFrame(streams[name])])),
        recvExactly: () => recvExactly(connection, 3),
        recvUntil: () => recvUntil(connection, DELIMITER, { maxLength: 10 }),
        recvLine: () => recvLine(connection, { maxLength: 10 }),
        recv: () => recv(connection, { maxBytes: 4 }),
        recvInto: () => recvInto(connection, new Uint8Array(4)),
        next: () => connection[Symbol.asyncIterator]().next(),
      };
      const kinds = new Set(["TooLarge", "InvalidData", "UnexpectedEof"]);
      let before = 0;
      // Failures take no bytes at the end, where only recv() goes on.
      for (const how of hows) {
        const call = calls[how];
        const outcome = await call().catch((error) => {
          assert(error instanceof SocketError && kinds.has(error.kind), `${how}: ${error}`);
          return error;
        });
        assert(connection.bytesReceived >= before && connection.bytesReceived <= stream.length);
        const plain = outcome instanceof Uint8Array && how === "recv";
        if (plain) {
          const { bytesReceived } = connection;
          assert(equals(outcome, stream.subarray(before, bytesReceived)), "recv is in step");
        }
        before = connection.bytesReceived;
        if (how === "recv" && outcome === null) break;
      }
      assertEquals(connection.bytesReceived, stream.length);
      abort(connection);
    }),
    parameters,
  );
});

/** A part of a stream, and whether it is over the limit of 8 bytes. */
const parts = fc.array(fc.stringMatching(/^[a-z;]{0,14}$/), { maxLength: 10 });

for (const reader of ["recvUntil", "recvLine", "recvFrame of delimited", "recvFrame of lines"]) {
  Deno.test(`F9: ${reader} gives each part up to its limit, and fails once for each longer one`, async () => {
    const limit = 8;
    const end = bytesOf("\r\n");
    await fc.assert(
      fc.asyncProperty(parts, sizes, async (parts, sizes) => {
        const stream = bytesOf(parts.map((part) => `${part}\r\n`).join(""));
        const connection = connectionOver(new ChunkTransport(cut(stream, sizes)));
        const byLines = framed(connection, lines({ maxLength: limit }));
        const byDelimiter = framed(connection, delimited(end, { maxLength: limit }));
        const next: Record<string, () => Promise<string | null>> = {
          "recvUntil": async () => textOf(await recvUntil(connection, end, { maxLength: limit })),
          "recvLine": () => recvLine(connection, { maxLength: limit }),
          "recvFrame of delimited": async () => textOf(await recvFrame(byDelimiter)),
          "recvFrame of lines": () => recvFrame(byLines),
        };
        for (const part of parts) {
          const given = await next[reader]().catch(({ kind }) => kind);
          assertEquals(given, part.length <= limit ? part : "TooLarge");
        }
        assertEquals(await next[reader](), null);
        assertEquals(connection.bytesReceived, stream.length);
        abort(connection);
      }),
      parameters,
    );
  });
}

/** The frame's bytes, cut into pieces. */
function inPieces(sizes: readonly number[]): Codec<Uint8Array> {
  return {
    encode: (frame) => cut(frame, sizes.map((size) => size % 4)),
    decoder: () => ({ decode: () => undefined }),
  };
}

Deno.test("F8: frames in any pieces leave whole and in order; those cancelled while they wait do not leave", async () => {
  const message = fc.record({
    length: fc.integer({ min: 0, max: 30 }),
    how: fc.constantFrom("frame", "pieces", "send"),
    cancelled: fc.boolean(),
  });
  const messages = fc.array(message, { maxLength: 15 });
  const takes = fc.infiniteStream(fc.integer({ min: 1, max: 25 }));
  await fc.assert(
    fc.asyncProperty(messages, sizes, takes, async (messages, sizes, takes) => {
      const transport = new ChunkTransport([], () => takes.next().value);
      const connection = connectionOver(transport);
      const whole = framed(connection, inPieces([]));
      const pieces = framed(connection, inPieces(sizes));
      const controller = new AbortController();
      const first = bytesOf("first");
      const expected: Uint8Array[] = [first];
      const sends = [send(connection, first)];
      for (const [index, { length, how, cancelled }] of messages.entries()) {
        const bytes = new Uint8Array(length).fill(index);
        const options = cancelled ? { signal: controller.signal } : undefined;
        if (how === "send") sends.push(send(connection, bytes, options));
        else sends.push(sendFrame(how === "frame" ? whole : pieces, bytes, options));
        if (!cancelled) expected.push(bytes);
      }
      controller.abort();
      const kinds = await Promise.all(
        sends.map((sent) =>
          sent.then(() => "sent", (error: SocketError) => {
            assertEquals("bytesSent" in error, false);
            return error.kind;
          })
        ),
      );
      const lost = messages.map(({ cancelled, length }) =>
        cancelled && length > 0 ? "Aborted" : "sent"
      );
      assertEquals(kinds, ["sent", ...lost]);
      assert(equals(concat(transport.written), concat(expected)));
      assertEquals(connection.bytesSent, concat(expected).length);
      abort(connection);
    }),
    parameters,
  );
});
