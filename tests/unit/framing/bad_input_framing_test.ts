import { assertEquals } from "@std/assert";
import {
  type Codec,
  delimited,
  framed,
  lengthPrefixed,
  lines,
  netstrings,
  recvExactly,
  recvUntil,
  send,
  sendFrame,
  varintPrefixed,
} from "../../../mod.ts";
import { WRONG_BYTES, WRONG_OBJECTS } from "../../support/hostile.ts";
import { openHandles } from "../../support/open_handles.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { transferred } from "../../support/transferring.ts";

const BYTES = new Uint8Array([1]);

Deno.test("E1: framed() throws InvalidInput for a value that is no codec", async () => {
  await using handles = await openHandles();
  const { encode, decoder } = lines();
  const wrong: readonly (readonly [string, unknown])[] = [
    ...WRONG_OBJECTS,
    ["only an encoder", { encode }],
    ["only a decoder", { decoder }],
    ["functions that are none", { encode: 1, decoder: 1 }],
    ...WRONG_OBJECTS.map(([what, made]) =>
      [`a codec whose decoder is ${what}`, { encode, decoder: () => made }] as const
    ),
    ["a codec without decode", { encode, decoder: () => ({ decode: "no" }) }],
    ["a codec that throws", {
      encode,
      decoder: (): never => {
        throw new TypeError("mine");
      },
    }],
    ["an unreadable codec", {
      encode,
      get decoder(): never {
        throw "mine";
      },
    }],
  ];
  for (const [what, codec] of wrong) {
    thrown(() => framed(handles.client, codec as Codec<string>), "InvalidInput", "framed", what);
  }
  await handles.prove();
});

Deno.test("E1: frames of the wrong type are InvalidInput", async () => {
  await using handles = await openHandles();
  const { client } = handles;
  const codecs = [lengthPrefixed(), varintPrefixed(), netstrings(), delimited(BYTES)];
  for (const [what, value] of WRONG_BYTES) {
    for (const codec of codecs) {
      const call = () => sendFrame(framed(client, codec), value as Uint8Array);
      await rejection(call, "InvalidInput", "sendFrame", `sendFrame with ${what} as frame`);
    }
  }
  for (const [what, value] of WRONG_OBJECTS) {
    if (typeof value === "string") continue;
    const call = () => sendFrame(framed(client, lines()), value as string);
    await rejection(call, "InvalidInput", "sendFrame", `sendFrame with ${what} as line`);
  }
  await handles.prove();
});

Deno.test("E1: recvExactly() is InvalidInput for a length that is no whole number", async () => {
  await using handles = await openHandles();
  const { client, server } = handles;
  await send(server, BYTES);
  const wrong = [...WRONG_OBJECTS.filter(([, value]) => value !== 5)];
  for (const length of [-1, -0.5, 1.5, NaN, Infinity, 2 ** 32]) wrong.push([`${length}`, length]);
  for (const [what, value] of wrong) {
    const call = () => recvExactly(client, value as number);
    await rejection(call, "InvalidInput", "recvExactly", `recvExactly with ${what} as length`);
  }
  assertEquals(await soon(recvExactly(client, 1)), BYTES);
  await handles.prove();
});

Deno.test("E1: recvUntil() is InvalidInput for an empty delimiter", async () => {
  await using handles = await openHandles();
  const { client } = handles;
  const reasons = new Map([
    [new Uint8Array(), "the delimiter is empty"],
    [transferred(), "the buffer of the delimiter has been transferred or shortened"],
  ]);
  for (const [delimiter, reason] of reasons) {
    const call = () => recvUntil(client, delimiter);
    const error = await rejection(call, "InvalidInput", "recvUntil");
    assertEquals(error.message, `recvUntil: ${reason}`);
  }
  await handles.prove();
});
