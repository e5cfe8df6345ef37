import { assert, assertEquals } from "@std/assert";
import { concat, equals } from "@std/bytes";
import { lengthPrefixedReference } from "../reference_decoders.ts";
import type { Got, Side } from "./side.ts";

const reference = lengthPrefixedReference({ bytes: 1 }, 100);

/** Returns the bytes that may have left a side, and the number of those that certainly did. */
function streamOf({ sent }: Side): { most: Uint8Array; certain: number } {
  const parts: Uint8Array[] = [];
  let [certain, whole] = [0, true];
  for (const { bytes, outcome } of sent) {
    const failed = outcome !== undefined && "error" in outcome;
    // A send that was refused, or cancelled while it waited, sent nothing.
    if (failed && outcome.error.bytesSent === undefined && outcome.error.kind !== "BrokenPipe") {
      continue;
    }
    parts.push(bytes);
    whole &&= outcome !== undefined && !failed;
    if (whole) certain += bytes.length;
  }
  return { most: concat(parts), certain };
}

/**
 * Compares the bytes that a side received with those that its peer sent. Each call must give the next bytes. An end of
 * stream must come after all bytes that certainly left.
 */
export function judgeReceived(side: Side): void {
  const { peer, connection, got } = side;
  const { most, certain } = streamOf(peer);
  // The end of TLS comes behind all that was sent.
  const arrivesWhole = side.nature.keepsAll || side.nature.tls !== undefined || !peer.closed ||
    (!peer.dropped && side.sent.length === 0);
  let at = 0;
  /** True if a batch may have met a failure, which the next call for frames reports, whatever was read between. */
  let postponed = false;
  for (const [index, { name, wanted, outcome }] of got.entries()) {
    const what = `${side.name}: result ${index}, of ${name}, at ${at} of ${most.length}`;
    const rest = most.subarray(at);
    if ("error" in outcome) {
      if (!postponed) judgeFailure(outcome.error.kind, { name, wanted, outcome }, rest, what);
      if (outcome.error.kind === "TooLarge") postponed = false;
    } else if (outcome.value === null) {
      assert(!arrivesWhole || at >= certain, `${what}: the end, but ${certain} bytes were sent`);
    } else if (name === "recvFrame") {
      const [first] = reference(rest).results;
      assert(first !== undefined && "frame" in first, `${what}: no frame was sent`);
      assertEquals(outcome.value, first.frame, what);
      at += 1 + first.frame.length;
    } else {
      const { value } = outcome;
      postponed ||= name === "recvFrames";
      assert(name !== "recvExactly" || value.length === wanted, `${what}: ${value.length} bytes`);
      assert(equals(value, rest.subarray(0, value.length)), `${what}: other bytes`);
      at += value.length;
    }
  }
  assertEquals(connection.bytesReceived, at, `${side.name}: bytesReceived`);
  const all = !side.closed && arrivesWhole && side.ending === "end";
  assert(!all || at >= certain, `${side.name}: ${at} of ${certain} bytes came`);
}

function judgeFailure(kind: string, { name, wanted }: Got, rest: Uint8Array, what: string): void {
  if (name === "recvExactly" && kind === "UnexpectedEof") {
    // A peer that was aborted may have sent more bytes, but they need not arrive.
    assert(wanted > 0, `${what}: nothing was wanted`);
  }
  if ((name === "recvFrame" || name === "recvFrames") && kind === "TooLarge") {
    const [first] = reference(rest).results;
    assert(first !== undefined && "kind" in first && first.kind === kind, `${what}: ${kind}`);
  }
}

/** Checks that `bytesSent` is the sum of the sends, and at least the number of bytes that arrived. */
export function judgeSent(side: Side): void {
  const { connection, sent, peer } = side;
  let [known, lost] = [0, false];
  for (const { bytes, outcome } of sent) {
    if (outcome === undefined) continue;
    if (!("error" in outcome)) known += bytes.length;
    else known += outcome.error.bytesSent ?? 0;
    lost ||= "error" in outcome && outcome.error.bytesSent !== undefined;
  }
  const { bytesSent } = connection;
  assertEquals(bytesSent, known, `${side.name}: bytesSent`);
  // At an abort, the runtime may have sent more bytes without reporting them.
  assert(lost || bytesSent >= peer.connection.bytesReceived, `${side.name}: more came than left`);
}
