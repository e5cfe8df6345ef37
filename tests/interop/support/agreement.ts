import { concat } from "@std/bytes";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import type { Address, ProxyHeader } from "../../../mod.ts";
import { verdict } from "../../support/proxy_bytes.ts";
import { ask, REQUEST, type Understanding } from "./understanding.ts";

/** Verdicts of HAProxy and of this package on the same bytes. */
export type Agreement =
  /** Both accept them, and understand the same. */
  | "both accept"
  | "both refuse"
  /** HAProxy accepts what this package refuses. */
  | "we are stricter"
  /** HAProxy drops a header that the specification lets a receiver accept, or ignores its addresses. */
  | "HAProxy is stricter";

/**
 * Makes HAProxy and the parser read the same header. It throws if both accept it and understand it differently, and if
 * HAProxy refuses a header that the parser must not accept alone.
 */
export async function compare(port: number, header: Uint8Array): Promise<Agreement> {
  const ours = verdict(concat([new Uint8Array(header), REQUEST]));
  if ("atLeast" in ours || ("length" in ours && ours.length !== header.length)) {
    throw new Error("the header swallows the request behind it");
  }
  const theirs = await ask(port, header);
  if ("error" in ours) return theirs === undefined ? "both refuse" : "we are stricter";
  if (theirs === undefined) {
    if (mayBeDropped(ours.header, header.length)) return "HAProxy is stricter";
    throw new Error(`HAProxy drops what we read as ${show(ours.header)}`);
  }
  // It treats a transport that it does not implement as unspecified.
  if (theirs.keptPeer && ours.header.source !== undefined && ours.header.transport !== "tcp") {
    return "HAProxy is stricter";
  }
  const difference = differences(ours.header, theirs);
  if (difference !== undefined) throw new Error(`${difference}: ${show(ours.header)}`);
  return "both accept";
}

/**
 * True for headers that HAProxy does not accept, although the specification lets or makes a receiver accept them: in
 * version 1 UNKNOWN with more on its line, in version 2 everything but TCP and LOCAL.
 */
function mayBeDropped({ version, command, transport }: ProxyHeader, length: number): boolean {
  if (version === 1) return transport === "unknown" && length > "PROXY UNKNOWN\r\n".length;
  return command === "PROXY" && transport !== "tcp";
}

/** Reads a header with the parser; throws if it is not whole. */
export function read(header: Uint8Array): ProxyHeader {
  const said = parseProxyHeader(header);
  if ("atLeast" in said) throw new Error(`the header needs ${said.atLeast} bytes`);
  return said.header;
}

/** Describes what HAProxy understood differently, if anything. */
export function differences(header: ProxyHeader, theirs: Understanding): string | undefined {
  if (header.source === undefined || header.destination === undefined) {
    return theirs.keptPeer ? undefined : `HAProxy has ${theirs.source} as the client`;
  }
  const pairs: readonly (readonly [string, string])[] = [
    [text(header.source), text({ host: theirs.source, port: theirs.sourcePort })],
    [text(header.destination), text({ host: theirs.destination, port: theirs.destinationPort })],
    [new TextEncoder().encode(header.authority ?? "").toHex(), theirs.authority],
    [(header.uniqueId ?? new Uint8Array()).toHex(), theirs.uniqueId],
  ];
  const pair = pairs.find(([ours, theirs]) => ours !== theirs);
  return pair && `we have ${pair[0]}, HAProxy ${pair[1]}`;
}

function show(header: ProxyHeader): string {
  return Deno.inspect(header, { depth: 4 });
}

/** Writes an address in one form, without the code under test. */
function text({ host, port }: Address): string {
  if (!host.includes(":")) return `${host} ${port}`;
  const { hostname } = new URL(`http://[${host}]`);
  const mapped = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(hostname);
  if (mapped === null) return `${hostname} ${port}`;
  const [high, low] = mapped.slice(1).map((group) => parseInt(group, 16));
  return `${[high >> 8, high & 255, low >> 8, low & 255].join(".")} ${port}`;
}
