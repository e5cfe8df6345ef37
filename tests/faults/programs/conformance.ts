/**
 * Runs the conformance suite of the unit tests on a host whose link returns each packet as if the peer had sent it.
 * Both ends of a connection are in this process, with the link between them.
 *
 * conformance.ts OWN-ADDRESS PEER-ADDRESS LINK TCP|TLS
 */
import { checkStream } from "../../support/check_stream.ts";
import { tcpKind } from "../../support/stream_kinds.ts";
import { tlsKind } from "../../support/tls_kinds.ts";

/**
 * The rows that a link leaves out, because they cannot pass there, or not within a minute.
 *
 * The kernel sends a reset once, and does not repeat bytes that were lost before it. So most of rows 21 to 23 need a
 * link without loss. A thousand round trips of 40 ms take 40 s, and each loss adds to that. 16 MiB take two minutes at
 * 1 Mbit/s, and the same time if the kernel mistakes losses for congestion.
 */
const LEFT_OUT: Record<string, readonly string[]> = {
  lossy: ["row 2:", "row 4:", "row 21: after", "row 21: broken", "row 22:", "row 23:"],
  slow: ["row 4:"],
};

const [host, reach, link, protocol] = Deno.args;
const makeKind = protocol === "TLS"
  ? () => tlsKind(false, host, reach)
  : () => tcpKind(host, reach);
checkStream(`${protocol} from ${reach} over a ${link} link`, makeKind, LEFT_OUT[link]);
