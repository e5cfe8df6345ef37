import { assert, assertEquals } from "@std/assert";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import { ascii, refusal, verdict } from "../../support/proxy_bytes.ts";
import { ACCEPTED_LINES, REFUSED_LINES } from "../../support/proxy_lines.ts";

Deno.test("P2: a line of version 1 gives its header, and its own length only", () => {
  for (const [text, header] of ACCEPTED_LINES) {
    const bytes = ascii(`${text}\r\n`);
    for (const rest of ["", "\r\n", "GET / HTTP/1.1\r\n", "PROXY UNKNOWN\r\n", "\0".repeat(200)]) {
      const said = parseProxyHeader(new Uint8Array([...bytes, ...ascii(rest)]));
      assertEquals(said, { header, length: bytes.length }, text);
    }
  }
});

Deno.test("a header of version 1 is frozen", () => {
  const said = parseProxyHeader(ascii("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"));
  assert("header" in said);
  const { header } = said;
  for (const part of [header, header.source, header.destination, header.tlvs]) {
    assert(Object.isFrozen(part));
  }
});

Deno.test("P2: a line of version 1 that breaks a rule is InvalidData", () => {
  for (const [text, reason] of REFUSED_LINES) {
    if (reason === undefined) assert("atLeast" in verdict(ascii(text)), text);
    else assertEquals(refusal(ascii(text)), reason, JSON.stringify(text));
  }
});

Deno.test("P2: a line is refused with a byte too many, and with a byte missing that is no digit", () => {
  const text = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
  const good = ascii(text);
  for (const byte of ascii("\0 \t\n\rA.:-\xa0\xff")) {
    // An LF before the last one makes a CRLF, and the last one is behind the line.
    for (let at = 0; at < good.length - 1; at++) {
      const said = verdict(new Uint8Array([...good.slice(0, at), byte, ...good.slice(at)]));
      assert(!("header" in said), `${byte} at ${at}`);
    }
  }
  for (let at = 0; at < good.length; at++) {
    const said = verdict(new Uint8Array([...good.slice(0, at), ...good.slice(at + 1)]));
    // Only without one digit of a number the line is still right.
    if ("header" in said) assert(/[0-9]/.test(text[at]), `${at}`);
  }
});

Deno.test("P2: every beginning of a line needs more bytes, and never more than the line has", () => {
  for (const [text] of ACCEPTED_LINES) {
    const bytes = ascii(`${text}\r\n`);
    for (let length = 0; length < bytes.length; length++) {
      const said = verdict(bytes.subarray(0, length));
      assert("atLeast" in said, `${text} at ${length}`);
      // At least CR and LF are missing, or the LF; and no line has less than 15 bytes.
      const missing = bytes[length - 1] === 0x0d ? 1 : 2;
      assertEquals(said.atLeast, Math.max(15, length + missing), `${text} at ${length}`);
    }
  }
});

Deno.test("P2: a reader that asks for the missing bytes never reads past the line", () => {
  const bytes = ascii("PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n");
  let length = 0, calls = 0;
  for (;;) {
    const said = verdict(bytes.subarray(0, length));
    if (!("atLeast" in said)) break;
    length = said.atLeast;
    calls++;
  }
  assertEquals(length, bytes.length);
  assert(calls <= bytes.length);
});

Deno.test("P2: bytes that are no line are refused at the first byte that shows it", () => {
  const cases: readonly (readonly [string, number])[] = [
    ["GET / HTTP/1.1\r\n", 1],
    ["POST / HTTP/1.1\r\n", 2],
    ["PROXYTCP4", 6],
    ["PROXY UDP4 ", 8],
    ["PROXY TCP5 ", 10],
    ["PROXY TCP4:", 11],
    ["PROXY UNKNOWNX", 14],
    ["PROXY TCP4 1.2.3.4\n", 19],
    ["PROXY TCP4 1.2.3.4\rx", 20],
    ["PROXY TCP4 " + "1".repeat(100), 55],
    ["PROXY TCP6 " + "1".repeat(100), 106],
    ["PROXY UNKNOWN " + "x".repeat(100), 106],
  ];
  for (const [text, certain] of cases) {
    const bytes = ascii(text);
    assert("atLeast" in verdict(bytes.subarray(0, certain - 1)), text);
    assert("error" in verdict(bytes.subarray(0, certain)), text);
  }
});
