import { assertEquals, AssertionError, assertMatch, assertThrows } from "@std/assert";
import { type Codec, connectionOver, framed, recvFrame, sendFrame } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

/** Gives a promise, which the types forbid, and rejects later. */
async function late(): Promise<never> {
  await undefined;
  throw new Error("late");
}

function failed(): Promise<never> {
  return Promise.reject(new Error("at once"));
}

function codecOf(parts: Record<string, unknown>): Codec<unknown> {
  const { encode = () => bytesOf("x"), decoder, decode = () => undefined, end } = parts;
  return { encode, decoder: decoder ?? (() => ({ decode, end })) } as unknown as Codec<unknown>;
}

const PROMISES = { late, "rejected at once": failed };

for (const [how, promise] of Object.entries(PROMISES)) {
  Deno.test(`F10: a codec's promise that rejects does not end the program: ${how}`, async () => {
    using unhandled = watchUnhandled();
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    for (const encode of [promise, () => [bytesOf("x"), promise()]]) {
      const stream = framed(connection, codecOf({ encode }));
      await rejection(() => sendFrame(stream, 1), "Other", "sendFrame");
      await rejection(() => sendFrame(stream, 1, { timeout: 60_000 }), "Other", "sendFrame");
    }
    const decoding = framed(connection, codecOf({ decode: promise }));
    await rejection(() => recvFrame(decoding), "Other", "recvFrame");
    const ending = framed(connection, codecOf({ end: promise }));
    const frame = rejection(() => recvFrame(ending), "Other", "recvFrame");
    (await transport.nextRead()).end();
    await frame;
    thrown(() => framed(connection, codecOf({ decoder: promise })), "InvalidInput", "framed");
    assertEquals(await unhandled.seen(), []);
  });

  Deno.test(`F10: checkCodec() refuses a codec that gives promises, and handles their rejection: ${how}`, async () => {
    using unhandled = watchUnhandled();
    const decode = (input: { length: number; skip(count: number): void }) => {
      if (input.length === 0) return undefined;
      input.skip(1);
      return 1;
    };
    const cases = [
      [codecOf({ decode: promise }), /: the decoder gave a promise$/],
      [codecOf({ end: promise }), /: the decoder gave a promise$/],
      [codecOf({ decoder: promise }), /: the codec's decoder has no decode function$/],
      [
        codecOf({ decode, encode: promise }),
        /: encode, for frame 0, gave neither bytes nor an array of bytes$/,
      ],
      [
        codecOf({ decode, encode: () => [bytesOf("x"), promise()] }),
        /: encode, for frame 0, gave neither /,
      ],
    ] as const;
    for (const [codec, message] of cases) {
      const error = assertThrows(() => checkCodec(codec, bytesOf("1")), AssertionError);
      assertMatch(error.message, message);
    }
    assertEquals(await unhandled.seen(), []);
  });
}
