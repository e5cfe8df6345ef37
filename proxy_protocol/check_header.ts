import { checkBytes } from "../bytes/byte_arguments.ts";
import { toAddress } from "../core/address_check.ts";
import { checkBoolean, checkWhole, describe, invalidInput, quote } from "../core/arguments.ts";
import type { Address, ProxyHeader, ProxyHeaderInit, ProxySsl, ProxyTlv } from "../types.ts";
import { hostOf, octetsOf } from "../core/ip_address.ts";
import { SSL_FIELD_OF_TYPE } from "./tlv_ssl.ts";
import { type Bytes, encodeText, hex, TLV_HEADER_BYTES, type Writable } from "./tlv.ts";
import {
  FIELD_OF_TYPE,
  LONGEST_AUTHORITY_BYTES,
  LONGEST_UNIQUE_ID_BYTES,
  NOOP,
} from "./tlv_fields.ts";

const OPERATION = "encodeProxyHeader";
/** More than a header can hold, so that a value that is too long is refused before the header is put together. */
const LONGEST_VALUE_BYTES = 0xffff;

/** Reads the caller's header into the form that the parser gives, or throws `InvalidInput`. */
export function checkHeaderInit(init: ProxyHeaderInit, version: 1 | 2): ProxyHeader {
  checkObject("the header", init);
  const header = { version, ...checkEndpoints(init), ...checkFields(init) };
  if (version === 1) checkVersion1(header);
  if (header.transport === "unknown") {
    const extra = fieldNames(header)[0];
    if (extra !== undefined) {
      throw wrong(`a header without addresses can say nothing else, leave out ${extra}`);
    }
  }
  return header;
}

function wrong(reason: string): Error {
  return invalidInput(OPERATION, reason);
}

function checkObject(name: string, value: unknown): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  throw wrong(`${name} is ${describe(value)}, not an object`);
}

function checkVersion1(header: ProxyHeader): void {
  const extra = fieldNames(header)[0];
  if (extra !== undefined) throw wrong(`version 1 cannot say ${extra}, version 2 can`);
  if (header.command === "LOCAL") {
    throw wrong('version 1 has no command LOCAL: leave out the addresses and say "PROXY"');
  }
  if (header.transport === "udp") throw wrong("version 1 cannot say udp, version 2 can");
}

/** Lists the fields that stand behind the addresses. */
function fieldNames(header: ProxyHeader): string[] {
  const names = ["alpn", "authority", "uniqueId", "ssl", "netns"] as const;
  const set: string[] = names.filter((name) => header[name] !== undefined);
  if (header.crc32c) set.push("crc32c");
  if (header.tlvs.length > 0) set.push("tlvs");
  return set;
}

function checkEndpoints(
  init: ProxyHeaderInit,
): Pick<ProxyHeader, "command" | "transport" | "source" | "destination"> {
  const { command = "PROXY", source: from, destination: to } = init;
  if (command !== "PROXY" && command !== "LOCAL") {
    throw wrong(`command is ${describe(command)}, not "PROXY" or "LOCAL"`);
  }
  if ((from === undefined) !== (to === undefined)) {
    throw wrong("source and destination go together, one of them is missing");
  }
  const hasAddresses = from !== undefined;
  if (command === "LOCAL" && hasAddresses) {
    throw wrong("a LOCAL header has no addresses, leave out source and destination");
  }
  const transport = checkTransport(init.transport, hasAddresses);
  if (command === "LOCAL" && transport !== "unknown") {
    throw wrong(`a LOCAL header relays nothing, leave out transport`);
  }
  if (!hasAddresses) return { command, transport };
  const source = checkEndpoint("source", from);
  const destination = checkEndpoint("destination", to);
  return { command, transport, source, destination };
}

function checkTransport(transport: unknown, hasAddresses: boolean): "tcp" | "udp" | "unknown" {
  if (transport === undefined) return hasAddresses ? "tcp" : "unknown";
  if (transport !== "tcp" && transport !== "udp" && transport !== "unknown") {
    throw wrong(`transport is ${describe(transport)}, only tcp, udp and unknown can be written`);
  }
  if (transport === "unknown" && hasAddresses) {
    throw wrong("transport unknown has no addresses, leave out source and destination");
  }
  if (transport !== "unknown" && !hasAddresses) {
    throw wrong(`transport ${transport} needs source and destination`);
  }
  return transport;
}

/** Reads an address into the form that the parser gives: IPv4 that IPv6 carries becomes plain IPv4. */
function checkEndpoint(name: string, address: unknown): Address {
  if (typeof address !== "object" || address === null) {
    throw wrong(`${name} is ${describe(address)}, not { host, port }`);
  }
  const { host, port } = address as Partial<Record<keyof Address, unknown>>;
  const octets = typeof host === "string" ? octetsOf(host) : undefined;
  if (octets === undefined) {
    throw wrong(
      `the host of ${name} is ${describe(host)}, not an IPv4 or IPv6 address written out`,
    );
  }
  return toAddress(hostOf(octets), checkWhole(OPERATION, `the port of ${name}`, port, 0, 65535));
}

function checkFields(
  init: ProxyHeaderInit,
): Omit<ProxyHeader, "version" | "command" | "transport"> {
  const { alpn, authority, uniqueId, ssl, netns } = init;
  const fields: Writable<ReturnType<typeof checkFields>> = {
    crc32c: checkBoolean(OPERATION, "crc32c", init.crc32c, false),
    tlvs: checkTlvs("tlvs", init.tlvs, headerTypeProblem),
  };
  if (alpn !== undefined) fields.alpn = checkAlpn(alpn);
  if (authority !== undefined) {
    fields.authority = checkText("authority", authority, LONGEST_AUTHORITY_BYTES);
  }
  if (uniqueId !== undefined) {
    fields.uniqueId = checkValue("uniqueId", uniqueId, LONGEST_UNIQUE_ID_BYTES);
  }
  if (ssl !== undefined) fields.ssl = checkSsl(ssl);
  if (netns !== undefined) fields.netns = checkText("netns", netns, LONGEST_VALUE_BYTES);
  return fields;
}

function checkAlpn(alpn: unknown): string {
  if (typeof alpn === "string" && alpn.length <= LONGEST_VALUE_BYTES && !/[^\0-\xff]/.test(alpn)) {
    return alpn;
  }
  throw wrong(
    `alpn is ${
      describe(alpn)
    }, not a text of at most ${LONGEST_VALUE_BYTES} characters up to U+00FF`,
  );
}

function checkText(name: string, text: unknown, longest: number): string {
  if (typeof text !== "string") throw wrong(`${name} is ${describe(text)}, not a string`);
  if (!text.isWellFormed()) throw wrong(`${name} is ${quote(text)}, which UTF-8 cannot write`);
  // UTF-8 takes at least one byte for each unit of UTF-16.
  const length = text.length > longest ? text.length : encodeText(text).length;
  if (length <= longest) return text;
  throw wrong(`${name} has ${length} bytes, at most ${longest} are allowed`);
}

/** Copies a value, so that the caller may change it meanwhile. */
function checkValue(name: string, value: unknown, longest: number): Bytes {
  const bytes = new Uint8Array(checkBytes(OPERATION, name, value));
  if (bytes.length <= longest) return bytes;
  throw wrong(`${name} has ${bytes.length} bytes, at most ${longest} are allowed`);
}

function checkTlvs(
  name: string,
  tlvs: unknown,
  problem: (type: number) => string | undefined,
): readonly ProxyTlv[] {
  if (tlvs === undefined) return [];
  if (!Array.isArray(tlvs)) throw wrong(`${name} is ${describe(tlvs)}, not an array`);
  const checked: ProxyTlv[] = [];
  let room = LONGEST_VALUE_BYTES;
  for (const [index, entry] of tlvs.entries()) {
    const tlv = checkTlv(`${name}[${index}]`, entry, problem);
    room -= TLV_HEADER_BYTES + tlv.value.length;
    if (room < 0) {
      throw wrong(`${name} has more than the ${LONGEST_VALUE_BYTES} bytes that fit a header`);
    }
    checked.push(tlv);
  }
  return checked;
}

function checkTlv(
  entry: string,
  tlv: Partial<ProxyTlv>,
  problem: (type: number) => string | undefined,
): ProxyTlv {
  if (typeof tlv !== "object" || tlv === null) {
    throw wrong(`${entry} is ${describe(tlv)}, not { type, value }`);
  }
  const type = checkWhole(OPERATION, `the type of ${entry}`, tlv.type, 0, 255);
  const why = problem(type);
  if (why !== undefined) throw wrong(`the type of ${entry} is ${hex(type)}, ${why}`);
  return { type, value: checkValue(`the value of ${entry}`, tlv.value, LONGEST_VALUE_BYTES) };
}

function headerTypeProblem(type: number): string | undefined {
  const field = FIELD_OF_TYPE.get(type);
  if (field !== undefined) return `which the header has a property for: ${field}`;
  return type === NOOP ? "which says nothing" : undefined;
}

function sslTypeProblem(type: number): string | undefined {
  const field = SSL_FIELD_OF_TYPE.get(type);
  return field === undefined ? undefined : `which ssl has a property for: ${field}`;
}

function checkSsl(init: Partial<ProxySsl>): ProxySsl {
  checkObject("ssl", init);
  const flag = (name: "tls" | "certificateOnConnection" | "certificateInSession") =>
    checkBoolean(OPERATION, `ssl.${name}`, init[name], false);
  const { verify = 1 } = init;
  const ssl: Writable<ProxySsl> = {
    tls: flag("tls"),
    certificateOnConnection: flag("certificateOnConnection"),
    certificateInSession: flag("certificateInSession"),
    verify: checkWhole(OPERATION, "ssl.verify", verify, 0, 0xffffffff),
    tlvs: checkTlvs("ssl.tlvs", init.tlvs, sslTypeProblem),
  };
  for (const name of SSL_FIELD_OF_TYPE.values()) {
    const value = init[name];
    if (value === undefined) continue;
    if (name === "clientCertificate") {
      ssl[name] = checkValue(`ssl.${name}`, value, LONGEST_VALUE_BYTES);
    } else ssl[name] = checkText(`ssl.${name}`, value, LONGEST_VALUE_BYTES);
  }
  return ssl;
}
