import {
  type Connection,
  framed,
  lines,
  type OperationOptions,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  recvInto,
  recvLine,
  recvProxyHeader,
  recvUntil,
} from "../../mod.ts";
import { bytesOf } from "./text.ts";

/** A call of a receiving function. */
export interface ReceivingCall {
  readonly name: string;
  call(connection: Connection, options?: OperationOptions): Promise<unknown>;
  /** The bytes that it takes. */
  readonly answer: Uint8Array<ArrayBuffer>;
  /** The result for these bytes. */
  readonly given: unknown;
}

const ABC = bytesOf("abc");

/** The calls that look for a boundary. Each call of `recvFrame` and `recvFrames` has a decoder of its own. */
export const FRAMING_CALLS: readonly ReceivingCall[] = [
  {
    name: "recvExactly",
    call: (connection, options) => recvExactly(connection, 3, options),
    answer: ABC,
    given: ABC,
  },
  {
    name: "recvUntil",
    call: (connection, options) => recvUntil(connection, bytesOf("\0"), options),
    answer: bytesOf("abc\0"),
    given: ABC,
  },
  {
    name: "recvLine",
    call: (connection, options) => recvLine(connection, options),
    answer: bytesOf("abc\n"),
    given: "abc",
  },
  {
    name: "recvFrame",
    call: (connection, options) => recvFrame(framed(connection, lines()), options),
    answer: bytesOf("abc\r\n"),
    given: "abc",
  },
  {
    name: "recvFrames",
    call: (connection, options) => recvFrames(framed(connection, lines()), options),
    answer: bytesOf("abc\r\n"),
    given: ["abc"],
  },
  {
    name: "recvProxyHeader",
    call: async (connection, options) => (await recvProxyHeader(connection, options)).transport,
    answer: bytesOf("PROXY UNKNOWN\r\n"),
    given: "unknown",
  },
];

/** All receiving calls. */
export const RECEIVING_CALLS: readonly ReceivingCall[] = [
  { name: "recv", call: recv, answer: ABC, given: ABC },
  {
    name: "recvInto",
    call: (connection, options) => recvInto(connection, new Uint8Array(3), options),
    answer: ABC,
    given: 3,
  },
  ...FRAMING_CALLS,
];
