import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  accept,
  closeWrite,
  connect,
  framed,
  lines,
  type LinesOptions,
  listen,
} from "../../../mod.ts";
import { recvFrame, send } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { strictLinesReference } from "../../fuzz/reference_decoders.ts";
import { cut, decodeStream, encodeAll } from "../../support/codec_streams.ts";
import { WRONG_TYPES } from "../../support/hostile.ts";
import { rejection, thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";
import { randomRuns } from "../../support/runs.ts";

const STRICT = lines({ strict: true });

Deno.test("F3: lines({ strict: true }) ends a line with CRLF only", () => {
  assertEquals(encodeAll(STRICT, "EHLO me", "", "é"), bytesOf("EHLO me\r\n\r\né\r\n"));
  checkCodec(STRICT, bytesOf("EHLO me\r\n\r\né\r\n"), ["EHLO me", "", "é"]);
  assertEquals(lines({ strict: true, ending: "\r\n" }).encode("a"), bytesOf("a\r\n"));
});

Deno.test("F9: lines({ strict: true }) reports a lone line feed or carriage return, and goes on", () => {
  for (const bad of ["a\nb", "a\rb", "\n", "\r", "a\r", "\n.\n", "\n\r", "\xff"]) {
    const stream = bytesOf(`one\r\n${bad}\r\ntwo\r\n`);
    if (bad === "\xff") stream.set([0xff, 0xff], 5);
    const kinds = decodeStream(STRICT, [stream]).results;
    assertEquals(kinds, [{ frame: "one" }, { kind: "InvalidData" }, { frame: "two" }], bad);
    checkCodec(STRICT, stream);
  }
});

Deno.test("F4: lines({ strict: true }) reports a line over the limit once, and drops its rest", () => {
  const codec = lines({ strict: true, maxLength: 4 });
  const { results, left } = decodeStream(
    codec,
    cut(bytesOf("1234\r\n12345\n678\r\nok\r\n"), [3, 7]),
  );
  assertEquals(results, [{ frame: "1234" }, { kind: "TooLarge" }, { frame: "ok" }]);
  assertEquals(left.length, 0);
  thrown(() => codec.encode("12345"), "TooLarge", "sendFrame");
});

Deno.test("F7: lines({ strict: true }) takes no last line without its ending", async () => {
  for (const rest of ["b", "b\n", "b\r"]) {
    await using listener = await listen({ host: "127.0.0.1", port: 0 });
    await using client = await connect(listener.address);
    await using server = framed(await accept(listener), STRICT);
    await send(client, bytesOf(`a\r\n${rest}`));
    await closeWrite(client);
    assertEquals(await recvFrame(server), "a");
    await rejection(() => recvFrame(server), "UnexpectedEof", "recvFrame");
  }
});

Deno.test("F3: lines({ strict: true }) agrees with a plain decoder about any bytes and chunks", () => {
  const byte = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(10, 13, 65) }, fc.nat(255));
  const bytes = fc.array(byte, { maxLength: 48, size: "max" }).map((list) => new Uint8Array(list));
  const sizes = fc.array(fc.nat(9), { maxLength: 40, size: "max" });
  const codec = lines({ strict: true, maxLength: 5 });
  fc.assert(
    fc.property(bytes, sizes, (stream, sizes) => {
      const { results } = strictLinesReference(5)(stream);
      assertEquals(decodeStream(codec, cut(stream, sizes)).results, results);
      for (const result of results) {
        if ("frame" in result) checkCodec(codec, encodeAll(codec, result.frame), [result.frame]);
      }
    }),
    { numRuns: randomRuns(3000) },
  );
});

Deno.test("E1: lines({ strict: true }) refuses lines that it would not read, and wrong options", () => {
  for (const line of ["a\n", "a\nb", "a\rb", "a\r", "\r\n", "\ud800"]) {
    thrown(() => STRICT.encode(line), "InvalidInput", "sendFrame", JSON.stringify(line));
  }
  for (const [what, value] of WRONG_TYPES) {
    if (value === true) continue;
    thrown(() => lines({ strict: value as boolean }), "InvalidInput", "lines", what);
  }
  const options: LinesOptions = { strict: true, ending: "\n" };
  const error = thrown(() => lines(options), "InvalidInput", "lines");
  assertEquals(error.reason, 'ending is "\\n", but strict lines end with "\\r\\n"');
});
