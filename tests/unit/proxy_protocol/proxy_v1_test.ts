import { assert, assertEquals } from "@std/assert";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import { ascii, refusal, verdict } from "../../support/proxy_bytes.ts";
import { ACCEPTED_LINES, REFUSED_LINES } from "../../support/proxy_lines.ts";

Deno.test("a PROXY line of version 1 gives what it says, and the length of it alone", () => {
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

Deno.test("a PROXY line of version 1 that breaks a rule is InvalidData", () => {
  for (const [text, reason] of REFUSED_LINES) {
    if (reason === undefined) assert("atLeast" in verdict(ascii(text)), text);
    else assertEquals(refusal(ascii(text)), reason, JSON.stringify(text));
  }
});

Deno.test("a stray byte anywhere in a PROXY line is refused, and so is a missing one that is no digit", () => {
  const text = "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
  const good = ascii(text);
  for (const byte of ascii("\0 \t\n\rA.:-\xa0\xff")) {
    // An LF before the last one would stand behind the CRLF that it makes.
    for (let at = 0; at < good.length - 1; at++) {
      const said = verdict(new Uint8Array([...good.slice(0, at), byte, ...good.slice(at)]));
      assert(!("header" in said), `${byte} at ${at}`);
    }
  }
  for (let at = 0; at < good.length; at++) {
    const said = verdict(new Uint8Array([...good.slice(0, at), ...good.slice(at + 1)]));
    // Only a digit of a number can go without making it wrong.
    if ("header" in said) assert(/[0-9]/.test(text[at]), `${at}`);
  }
});

Deno.test("every beginning of a PROXY line needs more bytes, and never more than there are", () => {
  for (const [text] of ACCEPTED_LINES) {
    const bytes = ascii(`${text}\r\n`);
    for (let length = 0; length < bytes.length; length++) {
      const said = verdict(bytes.subarray(0, length));
      assert("atLeast" in said, `${text} at ${length}`);
      // CR and LF are missing, or the LF is; and there is no line of less than 15 bytes.
      const missing = bytes[length - 1] === 0x0d ? 1 : 2;
      assertEquals(said.atLeast, Math.max(15, length + missing), `${text} at ${length}`);
    }
  }
});

Deno.test("a reader that asks for exactly what is missing never reads past the PROXY line", () => {
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

Deno.test("what is no PROXY line is refused at the first byte that tells", () => {
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

Deno.test("an error about a header names the operation and the peer that were given", () => {
  const peer = { host: "::1", port: 7 };
  const said = verdict(ascii("GET"), { operation: "serve", peer });
  assert("error" in said);
  assertEquals(
    said.error.message,
    "serve [::1]:7: the stream does not begin with a PROXY header of version 1 or 2",
  );
  assertEquals([said.error.operation, said.error.address], ["serve", peer]);
});
