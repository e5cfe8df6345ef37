import { assert, assertEquals } from "@std/assert";
import { equals } from "@std/bytes";
import {
  type Connection,
  framed,
  type FramedConnection,
  lengthPrefixed,
  lines,
  netstrings,
  recv,
  recvExactly,
  recvFrame,
  recvInto,
  recvLine,
  recvUntil,
  SocketError,
} from "../../mod.ts";
import type { Decoded } from "../support/codec_streams.ts";
import { cuttings } from "./chunks.ts";
import { utf8 } from "./expectations.ts";
import { feed } from "./feed.ts";
import {
  delimitedReference,
  lengthPrefixedReference,
  linesReference,
  netstringReference,
} from "./reference_decoders.ts";
import type { Target } from "./target.ts";

/** Result of a call: a value, or the kind of its error. */
type Given = Uint8Array | string | null | { readonly kind: string };

/** Expected result of a call on a stream that has come whole, and the number of bytes that it takes. */
interface Due {
  readonly given: Given;
  /** Undefined if no later call can be predicted, since the codec or the stream has lost its place. */
  readonly size: number | undefined;
}

/** A receiving function with its arguments, and its expected results. */
interface Reader {
  readonly name: string;
  call(connection: Connection): Promise<Given>;
  due(rest: Uint8Array): Due;
}

const CRLF = new Uint8Array([13, 10]);

function exactly(length: number): Reader {
  return {
    name: `recvExactly ${length}`,
    call: (connection) => recvExactly(connection, length),
    due: (rest) =>
      rest.length < length
        ? { given: { kind: "UnexpectedEof" }, size: 0 }
        : { given: rest.slice(0, length), size: length },
  };
}

/** Runs the first step of a reference decoder as one call. */
function stepOf(
  decode: (stream: Uint8Array) => Decoded<Uint8Array | string>,
  rest: Uint8Array,
  sizeOf: (frame: Uint8Array | string) => number,
): Due {
  if (rest.length === 0) return { given: null, size: 0 };
  const { results: [first] } = decode(rest);
  if (first === undefined) return { given: { kind: "UnexpectedEof" }, size: 0 };
  if ("kind" in first) return { given: { kind: first.kind }, size: undefined };
  return { given: first.frame, size: sizeOf(first.frame) };
}

function until(delimiter: Uint8Array, maxLength: number): Reader {
  const decode = delimitedReference(delimiter, maxLength);
  return {
    name: `recvUntil ${delimiter} ${maxLength}`,
    call: (connection) => recvUntil(connection, delimiter, { maxLength }),
    due: (rest) => stepOf(decode, rest, (frame) => frame.length + delimiter.length),
  };
}

/** Predicts a `recvLine` call, which takes the bytes up to the line feed or to the end. */
function lineDue(decode: ReturnType<typeof linesReference>, rest: Uint8Array): Due {
  const feed = rest.indexOf(10);
  const size = feed < 0 ? rest.length : feed + 1;
  const due = stepOf(decode, rest, () => size);
  const isInvalid = due.given !== null && typeof due.given === "object" && "kind" in due.given &&
    due.given.kind === "InvalidData";
  return isInvalid ? { ...due, size } : due;
}

function line(maxLength: number): Reader {
  const decode = linesReference(maxLength);
  return {
    name: `recvLine ${maxLength}`,
    call: (connection) => recvLine(connection, { maxLength }),
    due: (rest) => lineDue(decode, rest),
  };
}

/** Makes a reader of frames. All calls on one stream share a framed connection, as in a program. */
function frame(
  name: string,
  make: (connection: Connection) => FramedConnection<Uint8Array | string>,
  due: (rest: Uint8Array) => Due,
): Reader {
  const made = new WeakMap<Connection, FramedConnection<Uint8Array | string>>();
  return {
    name: `recvFrame ${name}`,
    call(connection) {
      let stream = made.get(connection);
      if (stream === undefined) made.set(connection, stream = make(connection));
      return recvFrame(stream);
    },
    due,
  };
}

const netstringsOf8 = netstringReference(8);
const prefixedBy2 = lengthPrefixedReference({ bytes: 2 }, 20);
const linesOf12 = linesReference(12);

const READERS: readonly Reader[] = [
  exactly(0),
  exactly(1),
  exactly(5),
  exactly(70),
  until(CRLF, 10),
  until(new Uint8Array([0]), 4),
  line(6),
  line(100),
  frame(
    "netstrings",
    (connection) => framed<Uint8Array | string>(connection, netstrings({ maxLength: 8 }) as never),
    (rest) => stepOf(netstringsOf8, rest, ({ length }) => `${length}:,`.length + length),
  ),
  frame(
    "lengthPrefixed",
    (connection) =>
      framed<Uint8Array | string>(
        connection,
        lengthPrefixed({ bytes: 2, maxLength: 20 }) as never,
      ),
    (rest) => stepOf(prefixedBy2, rest, ({ length }) => 2 + length),
  ),
  frame(
    "lines",
    (connection) => framed<Uint8Array | string>(connection, lines({ maxLength: 12 }) as never),
    (rest) => lineDue(linesOf12, rest),
  ),
];

/** Calls that give any bytes that have come, so that the number depends on the chunks. */
const ANY_LENGTH = [
  (connection: Connection) => recv(connection, { maxBytes: 3 }),
  async (connection: Connection) => {
    const buffer = new Uint8Array(4);
    const count = await recvInto(connection, buffer);
    return count === null ? null : buffer.slice(0, count);
  },
];

const LONGEST_PLAN = 12;

/** Reads the number of calls from the first byte and each call from one more; the rest is the stream. */
function planOf(input: Uint8Array): { plan: number[]; stream: Uint8Array } {
  const length = 1 + (input[0] ?? 0) % LONGEST_PLAN;
  const plan = [...input.subarray(1, 1 + length)];
  return { plan: plan.length === 0 ? [0] : plan, stream: input.subarray(1 + length) };
}

/** Makes the calls in turn until the stream has ended or a reader has lost its place. */
async function checkReaders(input: Uint8Array): Promise<string> {
  const { plan, stream } = planOf(input);
  const seen = new Set<string>();
  for (const chunks of [[stream], ...cuttings(stream, 2)]) {
    const connection = feed(chunks);
    await follow(connection, plan, stream, seen);
  }
  return [...seen].sort().slice(0, 3).join(", ");
}

async function follow(
  connection: Connection,
  plan: readonly number[],
  stream: Uint8Array,
  seen: Set<string>,
): Promise<void> {
  let at = 0;
  // A framed connection repeats that the stream ended inside a frame, also after others have read.
  const cutOff = new Set<Reader>();
  for (let turn = 0; turn < 4 * plan.length + stream.length; turn++) {
    const choice = plan[turn % plan.length] % (READERS.length + ANY_LENGTH.length);
    const rest = stream.subarray(at);
    const counted = connection.bytesReceived;
    if (choice >= READERS.length) {
      const bytes = await ANY_LENGTH[choice - READERS.length](connection);
      if (bytes === null) {
        assert(rest.length === 0, `the end ${rest.length} bytes too early`);
        return void seen.add("the end");
      }
      assert(bytes.length > 0 && equals(bytes, rest.subarray(0, bytes.length)), "other bytes");
      at += bytes.length;
    } else {
      const reader = READERS[choice];
      const { given, size } = cutOff.has(reader)
        ? { given: { kind: "UnexpectedEof" }, size: 0 } as const
        : reader.due(rest);
      const really = await givenBy(reader, connection);
      assertEquals(really, given, `${reader.name} at ${at}`);
      const isCutOff = given !== null && typeof given === "object" && "kind" in given &&
        given.kind === "UnexpectedEof";
      if (isCutOff && reader.name.startsWith("recvFrame")) cutOff.add(reader);
      seen.add(
        given === null
          ? "null"
          : typeof given === "object" && "kind" in given
          ? `${given.kind} of ${reader.name.split(" ", 1)}`
          : reader.name,
      );
      if (size === undefined) return;
      at += size;
    }
    const took = connection.bytesReceived - counted;
    assert(connection.bytesReceived === at, `${took} bytes counted, at ${at}`);
  }
}

async function givenBy(reader: Reader, connection: Connection): Promise<Given> {
  try {
    return await reader.call(connection);
  } catch (error) {
    assert(error instanceof SocketError, `${reader.name} threw ${error}`);
    return { kind: error.kind };
  }
}

function seed(plan: readonly number[], text: string): Uint8Array {
  return new Uint8Array([plan.length - 1, ...plan, ...utf8(text)[0]]);
}

export const readerTargets: readonly Target[] = [{
  name: "receiving functions in turn",
  seeds: [
    seed([8, 6], "5:hello,line\n0:,\n3:abc,last"),
    seed([9, 4], "\0\x03abcpart\r\n\0\0\r\n"),
    seed([10, 2, 11], "a line\r\n12345abcanother\n"),
    seed([5, 1, 12], "abc\0xdefgab\0"),
    seed([7, 3], `${"a".repeat(100)}\n${"b".repeat(70)}`),
    seed([4, 5, 6, 7], "a\r\nb\0c\nd\r\n\xe9\n"),
    seed([0, 1, 2, 11, 12, 4], "0123456789abcdefghijkl\r\nmnopqrstuvwxyz"),
    seed([6, 10], "toolongaline\nok\n"),
  ],
  words: utf8(
    "\r\n",
    "\r",
    "\n",
    "\0",
    "5:hello,",
    "0:,",
    "\0\x03abc",
    "\0\0",
    "é",
    "a".repeat(13),
  ),
  longest: 240,
  check: checkReaders,
  outcomes: ["null", "recvExactly", "UnexpectedEof", "TooLarge", "InvalidData", "recvLine"],
  worst: [],
}];
