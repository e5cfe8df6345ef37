import { abort, connectionOver, recvProxyHeader } from "../../../mod.ts";
import { ascii, rawV2, SIGNATURE } from "../../support/proxy_bytes.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection } from "../../support/socket_errors.ts";

/** Beginnings of a header that their last byte, and no other, makes impossible. */
const WRONG: readonly (readonly [string, Uint8Array])[] = [
  ["the first byte", ascii("G")],
  ["the second byte", ascii("\r\0")],
  ["the last byte of the signature", new Uint8Array([...SIGNATURE.subarray(0, 11), 0])],
  ["the version", new Uint8Array([...SIGNATURE, 0x31])],
  ["the family", rawV2({ family: 0x41 }).subarray(0, 14)],
  ["the protocol of a line", ascii("PROXY TCP5")],
  ["the end of a line", ascii("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n")],
  ["the length of a line", ascii(`PROXY UNKNOWN ${"a".repeat(92)}`)],
];

for (const [what, bytes] of WRONG) {
  Deno.test(`P2: recvProxyHeader() refuses ${what} as soon as it comes, in one piece or in two`, async () => {
    for (const cut of [0, 1, bytes.length - 1]) {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const received = rejection(
        () => recvProxyHeader(connection),
        "InvalidData",
        "recvProxyHeader",
      );
      // No byte comes afterwards: a reader that waited for more would never end.
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        if (part.length > 0) (await transport.nextRead()).give(part);
      }
      await received;
      abort(connection);
    }
  });
}
