/** The functions for authors of codecs: errors that read like those of the built-in ones, and pieces of a frame. */
import { assertEquals, assertStrictEquals } from "@std/assert";
import { frameBytes, frameTooLarge, invalidFrame, SocketError } from "../../../mod.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

Deno.test("E2: frameTooLarge() and invalidFrame() make the errors that a codec throws", () => {
  const received = frameTooLarge(12, 10);
  assertEquals([received.kind, received.operation], ["TooLarge", "recvFrame"]);
  assertEquals(received.message, "recvFrame: the frame has 12 bytes, at most 10 are allowed");
  assertEquals(frameTooLarge(12, 10, "sendFrame").operation, "sendFrame");
  const cause = new Error("no");
  const invalid = invalidFrame("the checksum is wrong", cause);
  assertEquals([invalid.kind, invalid.operation], ["InvalidData", "recvFrame"]);
  assertEquals(invalid.message, "recvFrame: the checksum is wrong");
  assertStrictEquals(invalid.cause, cause);
  assertEquals("cause" in invalidFrame("no"), "cause" in new SocketError("Other", "x", "no"));
});

Deno.test("frameBytes() copies small frames, and gives the pieces of large ones as they are", () => {
  const piece = bytesOf("abc");
  const small = frameBytes(piece, new Uint8Array(), bytesOf("d")) as Uint8Array;
  assertEquals(small, bytesOf("abcd"));
  piece.fill(0);
  assertEquals(small, bytesOf("abcd"));
  const large = new Uint8Array(16 * 1024);
  assertStrictEquals((frameBytes(piece, large) as Uint8Array[])[1], large);
  assertEquals(frameBytes(large), large);
  assertEquals(frameBytes(), new Uint8Array());
});

Deno.test("E1: frameBytes() throws InvalidInput for a piece that is no bytes", () => {
  for (const [what, value] of WRONG_OBJECTS) {
    const call = () => frameBytes(bytesOf("a"), value as Uint8Array);
    thrown(call, "InvalidInput", "sendFrame", what);
  }
});
