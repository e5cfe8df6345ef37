/**
 * The messages of multicast DNS (RFC 6762) with the records of service discovery (RFC 6763): PTR, SRV, TXT, A.
 *
 * A name is an array of labels, because the label of a service may contain dots: `["Room 1.2", "_http", "_tcp", "local"]`.
 */
export type Name = readonly string[];

export const TYPES = { A: 1, PTR: 12, TXT: 16, SRV: 33, ANY: 255 } as const;
const CLASS_INTERNET = 1;
/** The highest bit of a class: in a record, older ones are to be forgotten. */
const FLUSH = 0x8000;
const ANSWER_FLAGS = 0x8400;
const HEADER_BYTES = 12;
const LONGEST_LABEL_BYTES = 63;

export interface Question {
  readonly name: Name;
  readonly type: number;
}

export interface DnsRecord {
  readonly name: Name;
  readonly type: number;
  /** Seconds for which it may be kept; 0 takes it back. */
  readonly ttl: number;
  /** A name (PTR), a host and a port (SRV), texts (TXT), an address (A), or nothing of another type. */
  readonly data: Name | { readonly host: Name; readonly port: number } | string | undefined;
}

export interface Message {
  readonly id: number;
  readonly isAnswer: boolean;
  readonly questions: readonly Question[];
  readonly records: readonly DnsRecord[];
}

/** Tells if two names are the same, ignoring case. */
export function isSameName(one: Name, other: Name): boolean {
  const text = (name: Name) => JSON.stringify(name).toLowerCase();
  return text(one) === text(other);
}

const encoder = new TextEncoder();

/** Writes a message. With `flush`, records other than PTR replace what was known before. */
export function encodeMessage(
  { id = 0, isAnswer, questions = [], records = [] }: Partial<Message>,
  flush = true,
): Uint8Array {
  const flags = isAnswer ? ANSWER_FLAGS : 0;
  const bytes = [id, flags, questions.length, records.length, 0, 0].flatMap(two);
  for (const { name, type } of questions) {
    bytes.push(...nameBytes(name), ...two(type), ...two(CLASS_INTERNET));
  }
  for (const { name, type, ttl, data } of records) {
    const isShared = type === TYPES.PTR || !flush;
    const content = dataBytes(type, data);
    bytes.push(...nameBytes(name), ...two(type), ...two(CLASS_INTERNET | (isShared ? 0 : FLUSH)));
    bytes.push(...two(ttl >>> 16), ...two(ttl & 0xffff), ...two(content.length), ...content);
  }
  return new Uint8Array(bytes);
}

function two(value: number): number[] {
  return [value >> 8, value & 255];
}

function labelBytes(label: string): number[] {
  const bytes = encoder.encode(label);
  return [bytes.length, ...bytes];
}

function nameBytes(name: Name): number[] {
  return [...name.flatMap(labelBytes), 0];
}

function dataBytes(type: number, data: DnsRecord["data"]): number[] {
  if (typeof data === "string") {
    return type === TYPES.A ? data.split(".").map(Number) : labelBytes(data);
  }
  if (data === undefined) return [];
  // The priority and the weight of a service come first.
  if ("host" in data) return [0, 0, 0, 0, ...two(data.port), ...nameBytes(data.host)];
  return nameBytes(data);
}

/** Reads a message. Throws if it is malformed, as anybody may send. */
export function decodeMessage(bytes: Uint8Array): Message {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = HEADER_BYTES;
  const name = (): Name => {
    const [labels, end] = readName(bytes, at);
    at = end;
    return labels;
  };
  const [asked, ...others] = [4, 6, 8, 10].map((offset) => view.getUint16(offset));
  const questions = Array.from({ length: asked }, () => {
    const question = { name: name(), type: view.getUint16(at) };
    at += 4;
    return question;
  });
  const records = Array.from({ length: others.reduce((sum, count) => sum + count) }, () => {
    const owner = name();
    const type = view.getUint16(at);
    const ttl = view.getUint32(at + 4);
    const start = at + 10;
    at = start + view.getUint16(at + 8);
    if (at > bytes.length) throw new Error("a record ends too early");
    return { name: owner, type, ttl, data: readData(bytes, type, start, at) };
  });
  return { id: view.getUint16(0), isAnswer: (bytes[2] & 0x80) !== 0, questions, records };
}

function readData(bytes: Uint8Array, type: number, start: number, end: number): DnsRecord["data"] {
  const data = bytes.subarray(start, end);
  if (type === TYPES.A && data.length === 4) return data.join(".");
  if (type === TYPES.PTR) return readName(bytes, start)[0];
  if (type === TYPES.SRV && data.length > 6) {
    return { host: readName(bytes, start + 6)[0], port: data[4] << 8 | data[5] };
  }
  if (type !== TYPES.TXT) return undefined;
  const texts: string[] = [];
  for (let at = 0; at < data.length; at += 1 + data[at]) {
    texts.push(new TextDecoder().decode(data.subarray(at + 1, at + 1 + data[at])));
  }
  return texts.filter((text) => text !== "").join(" ");
}

/** Reads a name and the offset behind it. A pointer leads only backwards, so that no name is endless. */
function readName(bytes: Uint8Array, start: number): [labels: string[], end: number] {
  const labels: string[] = [];
  let end: number | undefined;
  let before = start;
  for (let at = start;;) {
    const length = bytes[at];
    if (length === 0) return [labels, end ?? at + 1];
    if (length >= 0xc0) {
      const target = (length & 0x3f) << 8 | bytes[at + 1];
      if (!(target < before)) throw new Error("a pointer that leads forwards");
      end ??= at + 2;
      at = before = target;
    } else if (length <= LONGEST_LABEL_BYTES && at + length < bytes.length) {
      labels.push(new TextDecoder().decode(bytes.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    } else throw new Error("a malformed name");
  }
}
