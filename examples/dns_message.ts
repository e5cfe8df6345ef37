/**
 * The part of the DNS wire format (RFC 1035, section 4) that a question and its addresses need.
 *
 *      0                   1
 *      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
 *     +-------------------------------+
 *     |              id               |
 *     |QR| op  |AA|TC|RD|RA| 0 | rcode|
 *     |      questions, answers,      |
 *     |   authorities, additionals    |  two bytes each
 *     +-------------------------------+
 *     question: labels, 0, type, class
 *     answer:   name, type, class, time to live (4), length (2), data
 */
export const TYPE_A = 1;
export const TYPE_AAAA = 28;
const CLASS_INTERNET = 1;
const HEADER_BYTES = 12;
const LONGEST_LABEL_BYTES = 63;
const LONGEST_NAME_BYTES = 255;

/** Writes a question for the addresses of a name. Throws if the name cannot be written. */
export function encodeQuery(id: number, name: string, type: number): Uint8Array {
  const header = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  return new Uint8Array([...header, ...encodeName(name), 0, type, 0, CLASS_INTERNET]);
}

function encodeName(name: string): number[] {
  // The dot at the end of a full name stands for the root, whose label is the empty one.
  const labels = name.replace(/\.$/, "").split(".");
  const bytes = labels.flatMap((label) => {
    const bytes = new TextEncoder().encode(label);
    if (bytes.length === 0) throw new Error(`the name "${name}" has an empty label`);
    // A larger length would be read as a pointer.
    if (bytes.length <= LONGEST_LABEL_BYTES) return [bytes.length, ...bytes];
    throw new Error(`the label "${label}" has more than ${LONGEST_LABEL_BYTES} bytes`);
  });
  if (bytes.length < LONGEST_NAME_BYTES) return [...bytes, 0];
  throw new Error(`the name "${name}" has more than ${LONGEST_NAME_BYTES} bytes`);
}

/** Tells if a message is a question. Two servers that answered answers would never end. */
export function isQuery(message: Uint8Array): boolean {
  return message.length > HEADER_BYTES && (message[2] & 0x80) === 0;
}

/** Tells if a message answers this query: it has the same id and the same question, ignoring case. */
export function isAnswerTo(query: Uint8Array, message: Uint8Array): boolean {
  const same = (from: number, to: number) =>
    query.subarray(from, to).every((byte, at) => lower(byte) === lower(message[from + at]));
  const answers = message.length >= query.length && !isQuery(message);
  return answers && query[0] === message[0] && query[1] === message[1] && same(4, 6) &&
    same(HEADER_BYTES, query.length);
}

// Lengths, types and classes of questions are no capital letters, so they do not change.
function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

/** Reads the name and type that a message asks for, and the offset of the end of the question. */
export function readQuestion(message: Uint8Array): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = message[at]; length !== 0; length = message[at]) {
    if (length === undefined || length > LONGEST_LABEL_BYTES) throw new Error("malformed question");
    labels.push(new TextDecoder().decode(message.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return { name: labels.join("."), type: message[at + 1] << 8 | message[at + 2], end: at + 5 };
}

/** Writes an answer with one IPv4 address, or "no such name". */
export function encodeAnswer(query: Uint8Array, address: string | undefined): Uint8Array {
  const { end } = readQuestion(query);
  const found = address !== undefined;
  const header = [
    query[0],
    query[1],
    0x81,
    found ? 0x80 : 0x83,
    0,
    1,
    0,
    found ? 1 : 0,
    0,
    0,
    0,
    0,
  ];
  const question = query.subarray(HEADER_BYTES, end);
  if (!found) return new Uint8Array([...header, ...question]);
  const record = [0xc0, HEADER_BYTES, 0, TYPE_A, 0, CLASS_INTERNET, 0, 0, 0, 60, 0, 4];
  return new Uint8Array([...header, ...question, ...record, ...address.split(".").map(Number)]);
}

function skipName(message: Uint8Array, start: number): number {
  let at = start;
  // A pointer to an earlier name has two bytes, and the first is at least 0xc0.
  while (message[at] !== 0 && message[at] < 0xc0) at += 1 + message[at];
  return at + (message[at] === 0 ? 1 : 2);
}

/** Reads the addresses in an answer. */
export function readAddresses(message: Uint8Array): string[] {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const code = message[3] & 15;
  if (code !== 0) throw new Error(code === 3 ? "no such name" : `the server says error ${code}`);
  const addresses: string[] = [];
  let at = readQuestion(message).end;
  for (let left = view.getUint16(6); left > 0; left--) {
    at = skipName(message, at);
    const type = view.getUint16(at);
    const length = view.getUint16(at + 8);
    const data = message.subarray(at + 10, at + 10 + length);
    at += 10 + length;
    if (type === TYPE_A && length === 4) addresses.push(data.join("."));
    if (type === TYPE_AAAA && length === 16) addresses.push(groups(data).join(":"));
  }
  return addresses;
}

function groups(data: Uint8Array): string[] {
  const pairs = Array.from({ length: 8 }, (_, index) => data[2 * index] << 8 | data[2 * index + 1]);
  return pairs.map((pair) => pair.toString(16));
}
