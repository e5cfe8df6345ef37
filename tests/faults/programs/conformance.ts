/**
 * The conformance suite of the unit tests on a host whose link gives each packet back as if the peer had sent it:
 * both ends are in this process, and the link between them.
 *
 * conformance.ts OWN-ADDRESS PEER-ADDRESS LINK
 */
import { checkStream } from "../../support/check_stream.ts";
import { tcpKind } from "../../support/stream_kinds.ts";

/**
 * What is left out, since it cannot hold there, or not in a minute.
 *
 * The kernel sends a reset once, and nothing again that was lost before it: most of rows 21 to 23 need a link
 * that loses nothing. A thousand round trips of 40 ms take as many as that, and each loss among them more.
 * 16 MiB take two minutes at 1 Mbit/s, and as long where the kernel takes losses for congestion.
 */
const LEFT_OUT: Record<string, readonly string[]> = {
  lossy: ["row 2:", "row 4:", "row 21: after", "row 21: broken", "row 22:", "row 23:"],
  slow: ["row 4:"],
};

const [host, reach, link] = Deno.args;
checkStream(`TCP from ${reach} over a ${link} link`, () => tcpKind(host, reach), LEFT_OUT[link]);
