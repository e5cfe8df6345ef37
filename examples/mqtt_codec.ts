/**
 * Makes two codecs of MQTT 3.1.1, for a client of a broker. `packets` finds the packets, and `clientPackets` gives
 * them their meaning. docs/codecs.md builds both step by step.
 *
 *     +------+-------+-----------+-----------------------------------+
 *     | type | flags | length    | 00 06 r o o m / 1   00 07   21.5 |
 *     +------+-------+-----------+-----------------------------------+
 *      4 bits  4 bits  1-4 bytes   topic of PUBLISH     id      payload
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { concat } from "@std/bytes/concat";
import {
  type Codec,
  frameBytes,
  frameTooLarge,
  invalidFrame,
  mapCodec,
  SocketError,
} from "../mod.ts";

/** A packet whose body is not read yet. */
export interface Packet {
  readonly type: number;
  readonly flags: number;
  readonly body: Uint8Array;
}

/** A message, in either direction. Its `id` is 0 for QoS 0. */
export interface Publish {
  readonly type: "PUBLISH";
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly id: number;
}

/** The packets that this client sends. */
export type ToBroker =
  | Publish
  | {
    readonly type: "CONNECT";
    readonly clientId: string;
    readonly userName?: string;
    readonly password?: string;
    readonly keepAliveSeconds: number;
  }
  | { readonly type: "PUBACK"; readonly id: number }
  | {
    readonly type: "SUBSCRIBE";
    readonly id: number;
    readonly filter: string;
    readonly qos: 0 | 1;
  }
  | { readonly type: "UNSUBSCRIBE"; readonly id: number; readonly filter: string }
  | { readonly type: "PINGREQ" | "DISCONNECT" };

/** The packets that a broker sends to this client. */
export type FromBroker =
  | Publish
  | { readonly type: "CONNACK"; readonly sessionPresent: boolean; readonly code: number }
  | { readonly type: "PUBACK" | "UNSUBACK"; readonly id: number }
  | { readonly type: "SUBACK"; readonly id: number; readonly code: number }
  | { readonly type: "PINGRESP" };

/** Longest remaining length that four bytes can say (bytes, section 2.2.3). */
const LONGEST_BYTES = 2 ** 28 - 1;
/** Longest string or password (bytes, section 1.5.3). */
const LONGEST_TEXT_BYTES = 65535;
const encoder = new TextEncoder();
// U+FEFF at the beginning belongs to the text (section 1.5.3).
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Makes the codec of packets whose bodies are not read yet. `maxLength` is that of a body (bytes). */
export function packets(maxLength: number = 2 ** 20): Codec<Packet> {
  const limit = Math.min(maxLength, LONGEST_BYTES);
  return {
    encode({ type, flags, body }) {
      if (body.length > limit) throw frameTooLarge(body.length, limit, "sendFrame");
      const header = [type << 4 | flags];
      let rest = body.length;
      do {
        header.push(rest > 127 ? rest & 127 | 128 : rest);
        rest = rest >>> 7;
      } while (rest > 0);
      return frameBytes(Uint8Array.from(header), body);
    },
    decoder: () => ({
      decode(input) {
        if (input.length < 2) return undefined;
        const first = input.uint8();
        checkFlags(first >> 4, first & 15);
        let length = 0;
        for (let size = 1; size < input.length; size++) {
          const byte = input.uint8(size);
          length += (byte & 127) * 128 ** (size - 1);
          if (byte > 127) {
            if (size === 4) throw invalidFrame("the remaining length has more than 4 bytes");
            continue;
          }
          if (length > limit) throw frameTooLarge(length, limit);
          if (input.length < size + 1 + length) return undefined;
          input.skip(size + 1);
          return { type: first >> 4, flags: first & 15, body: input.take(length) };
        }
        return undefined;
      },
    }),
  };
}

/** Makes the codec of a client. `maxLength` is that of a packet without its header (bytes). */
export function clientPackets(maxLength?: number): Codec<ToBroker, FromBroker> {
  return mapCodec(packets(maxLength), { encode, decode });
}

/** Checks the first byte of a packet by tables 2.1 and 2.2. Only PUBLISH has flags that are not fixed. */
function checkFlags(type: number, flags: number): void {
  if (type === 0 || type === 15) throw invalidFrame(`packet type ${type} is reserved`);
  const fixed = type === 6 || type === 8 || type === 10 ? 2 : 0;
  if (type === 3 || flags === fixed) return;
  throw invalidFrame(`packet type ${type} has the flags ${flags}, not ${fixed}`);
}

function encode(packet: ToBroker): Packet {
  switch (packet.type) {
    case "CONNECT":
      return packetOf(1, 0, ...connectFields(packet));
    case "PUBLISH": {
      const { topic, payload, qos, retain, id } = packet;
      if (topic === "" || /[#+]/.test(topic)) throw invalid(`"${topic}" is empty, or has # or +`);
      if (!(payload instanceof Uint8Array)) throw invalid("a payload is bytes");
      const ids = qos === 0 ? [] : [idField(id)];
      return packetOf(3, level(qos) << 1 | Number(retain), field(topic), ...ids, payload);
    }
    case "PUBACK":
      return packetOf(4, 0, idField(packet.id));
    case "SUBSCRIBE": {
      const qos = Uint8Array.of(level(packet.qos));
      return packetOf(8, 2, idField(packet.id), filterField(packet.filter), qos);
    }
    case "UNSUBSCRIBE":
      return packetOf(10, 2, idField(packet.id), filterField(packet.filter));
    case "PINGREQ":
      return packetOf(12, 0);
    case "DISCONNECT":
      return packetOf(14, 0);
    default:
      throw invalid("it is no packet that a client sends");
  }
}

function packetOf(type: number, flags: number, ...fields: Uint8Array[]): Packet {
  return { type, flags, body: concat(fields) };
}

/** Writes CONNECT for a new session (section 3.1). */
function connectFields(
  { clientId, userName, password, keepAliveSeconds }: ToBroker & { type: "CONNECT" },
): Uint8Array[] {
  if (password !== undefined && userName === undefined) {
    throw invalid("a password needs a userName");
  }
  const texts = [userName, password].filter((text) => text !== undefined);
  const flags = 2 | (userName === undefined ? 0 : 0x80) | (password === undefined ? 0 : 0x40);
  const header = [field("MQTT"), Uint8Array.of(4, flags), uint16(keepAliveSeconds)];
  return [...header, field(clientId), ...texts.map(field)];
}

/** Writes a string behind its length (section 1.5.3). */
function field(text: string): Uint8Array {
  if (!text.isWellFormed() || text.includes("\0")) {
    throw invalid("a text has U+0000 or half a pair");
  }
  const bytes = encoder.encode(text);
  if (bytes.length > LONGEST_TEXT_BYTES) throw invalid("a text has more than 65,535 bytes");
  return concat([uint16(bytes.length), bytes]);
}

/** Writes a topic filter. `+` is a whole level, and `#` the whole last one (section 4.7.1). */
function filterField(filter: string): Uint8Array {
  const wrong = filter === "" || /[^/][#+]|[#+][^/]|#./.test(filter);
  if (wrong) throw invalid(`"${filter}" is no filter, such as room/+/heat or room/#`);
  return field(filter);
}

function idField(id: number): Uint8Array {
  if (id === 0) throw invalid("the id 0 is no packet identifier");
  return uint16(id);
}

function uint16(value: number): Uint8Array {
  if (Number.isInteger(value) && value >>> 16 === 0) return Uint8Array.of(value >> 8, value & 255);
  throw invalid(`${value} is no whole number from 0 to 65,535`);
}

function level(qos: number): number {
  if (qos === 0 || qos === 1) return qos;
  throw invalid(`QoS is 0 or 1 here, not ${qos}`);
}

function invalid(reason: string): SocketError {
  return new SocketError("InvalidInput", "sendFrame", reason);
}

function decode(packet: Packet): FromBroker {
  const { type, flags, body } = packet;
  switch (type) {
    case 2:
      checkLength(packet, 2);
      if (body[0] > 1) throw invalidFrame(`CONNACK has the flags ${body[0]}`);
      return { type: "CONNACK", sessionPresent: body[0] === 1, code: body[1] };
    case 3:
      return decodePublish(flags, body);
    case 4:
      checkLength(packet, 2);
      return { type: "PUBACK", id: idAt(body, 0) };
    case 9:
      checkLength(packet, 3);
      if (body[2] > 2 && body[2] !== 0x80) throw invalidFrame(`SUBACK has the code ${body[2]}`);
      return { type: "SUBACK", id: idAt(body, 0), code: body[2] };
    case 11:
      checkLength(packet, 2);
      return { type: "UNSUBACK", id: idAt(body, 0) };
    case 13:
      checkLength(packet, 0);
      return { type: "PINGRESP" };
    default:
      throw invalidFrame(`a broker sends no packets of type ${type}`);
  }
}

function decodePublish(flags: number, body: Uint8Array): Publish {
  const qos = flags >> 1 & 3;
  if (qos > 1) throw invalidFrame(`PUBLISH has QoS ${qos}, and was asked for with at most 1`);
  if (flags === 8 || flags === 9) throw invalidFrame("PUBLISH of QoS 0 is no duplicate");
  const end = 2 + (body.length < 2 ? 0 : body[0] << 8 | body[1]);
  const start = end + 2 * qos;
  if (start > body.length) throw invalidFrame("PUBLISH ends inside its topic or id");
  const topic = decodeTopic(body.subarray(2, end));
  const id = qos === 0 ? 0 : idAt(body, end);
  const retain = (flags & 1) === 1;
  return { type: "PUBLISH", topic, payload: body.subarray(start), qos: qos as 0 | 1, retain, id };
}

function decodeTopic(bytes: Uint8Array): string {
  let topic: string;
  try {
    topic = decoder.decode(bytes);
  } catch (cause) {
    throw invalidFrame("a topic is not UTF-8", cause);
  }
  if (topic === "" || /[\0#+]/.test(topic)) {
    throw invalidFrame("a topic is empty, or has U+0000, # or +");
  }
  return topic;
}

function idAt(body: Uint8Array, at: number): number {
  const id = body[at] << 8 | body[at + 1];
  if (id === 0) throw invalidFrame("a packet has the id 0");
  return id;
}

function checkLength({ type, body }: Packet, length: number): void {
  if (body.length === length) return;
  throw invalidFrame(`packet type ${type} has ${body.length} bytes, not ${length}`);
}
