import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ByteQueue, type Codec } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import {
  clientPackets,
  type FromBroker,
  type Packet,
  packets,
  type Publish,
  type ToBroker,
} from "../../../examples/mqtt_codec.ts";
import { decodeStream } from "../../support/codec_streams.ts";
import { thrown } from "../../support/socket_errors.ts";

const PUBLISH: Publish = {
  type: "PUBLISH",
  topic: "a/b",
  payload: Uint8Array.of(1, 2),
  qos: 0,
  retain: false,
  id: 0,
};

/** Returns a PUBLISH of QoS 0 that has only a topic. */
function withTopic(bytes: readonly number[]): number[] {
  return [0x30, 2 + bytes.length, 0, bytes.length, ...bytes];
}

const FROM_BROKER: readonly (readonly [name: string, stream: number[], frame: FromBroker])[] = [
  ["CONNACK", [0x20, 2, 0, 0], { type: "CONNACK", sessionPresent: false, code: 0 }],
  ["CONNACK of an old session", [0x20, 2, 1, 0], {
    type: "CONNACK",
    sessionPresent: true,
    code: 0,
  }],
  ["a refusal", [0x20, 2, 0, 5], { type: "CONNACK", sessionPresent: false, code: 5 }],
  ["PUBLISH of QoS 0", [0x30, 7, 0, 3, 97, 47, 98, 1, 2], PUBLISH],
  ["PUBLISH without a payload", [0x30, 3, 0, 1, 97], {
    ...PUBLISH,
    topic: "a",
    payload: new Uint8Array(),
  }],
  ["PUBLISH of QoS 1", [0x32, 9, 0, 3, 97, 47, 98, 1, 44, 1, 2], { ...PUBLISH, qos: 1, id: 300 }],
  ["a retained duplicate", [0x3b, 9, 0, 3, 97, 47, 98, 0, 1, 1, 2], {
    ...PUBLISH,
    qos: 1,
    id: 1,
    retain: true,
  }],
  ["a topic that begins with U+FEFF", withTopic([0xef, 0xbb, 0xbf, 0xc2, 0xb0]), {
    ...PUBLISH,
    topic: "\uFEFF°",
    payload: new Uint8Array(),
  }],
  ["PUBACK", [0x40, 2, 255, 255], { type: "PUBACK", id: 65535 }],
  ["SUBACK", [0x90, 3, 0, 1, 1], { type: "SUBACK", id: 1, code: 1 }],
  ["a refused filter", [0x90, 3, 0, 1, 0x80], { type: "SUBACK", id: 1, code: 0x80 }],
  ["UNSUBACK", [0xb0, 2, 0, 9], { type: "UNSUBACK", id: 9 }],
  ["PINGRESP", [0xd0, 0], { type: "PINGRESP" }],
  // Section 2.2.3 does not ask for the shortest form.
  ["a length of four bytes that one could say", [0xd0, 0x80, 0x80, 0x80, 0], { type: "PINGRESP" }],
];

for (const [name, stream, frame] of FROM_BROKER) {
  Deno.test(`clientPackets() reads ${name} at every split`, () => {
    checkCodec(clientPackets(), Uint8Array.from(stream), [frame]);
    const twice = Uint8Array.from([...stream, ...stream]);
    checkCodec(clientPackets(), twice, [frame, frame]);
  });
}

/** Packets that are malformed as soon as their header is there: nothing behind it is a packet. */
const BAD_HEADERS: readonly (readonly [name: string, stream: number[]])[] = [
  ["packet type 0", [0, 0]],
  ["packet type 15", [0xf0, 0]],
  ["CONNACK with flags", [0x21, 2, 0, 0]],
  ["PUBACK with flags", [0x42, 2, 0, 1]],
  ["SUBSCRIBE without its flags", [0x80, 5, 0, 1, 0, 0, 0]],
  ["SUBACK with flags", [0x92, 3, 0, 1, 0]],
  ["PINGRESP with flags", [0xd8, 0]],
  ["a length of five bytes", [0x30, 0x80, 0x80, 0x80, 0x80, 1]],
  ["a length whose fourth byte goes on", [0x30, 255, 255, 255, 255]],
];

for (const [name, stream] of BAD_HEADERS) {
  Deno.test(`F5: MQTT packets with ${name} are InvalidData, and end the packets`, () => {
    const bytes = Uint8Array.from([...stream, 0xd0, 0, 0xd0, 0]);
    for (const codec of [packets(), clientPackets()] as readonly Codec<never, unknown>[]) {
      checkCodec(codec, bytes, []);
      assertEquals(decodeStream(codec as Codec<unknown>, [bytes]).results, [{
        kind: "InvalidData",
      }]);
    }
  });
}

const BAD_BODIES: readonly (readonly [name: string, stream: number[], reason: string])[] = [
  ["CONNECT", [0x10, 0], "a broker sends no packets of type 1"],
  ["SUBSCRIBE", [0x82, 0], "a broker sends no packets of type 8"],
  ["DISCONNECT", [0xe0, 0], "a broker sends no packets of type 14"],
  ["PUBREC", [0x50, 2, 0, 1], "a broker sends no packets of type 5"],
  ["CONNACK that is too short", [0x20, 1, 0], "packet type 2 has 1 bytes, not 2"],
  ["CONNACK with reserved bits", [0x20, 2, 2, 0], "CONNACK has the flags 2"],
  ["PUBACK without an id", [0x40, 0], "packet type 4 has 0 bytes, not 2"],
  ["PUBACK with the id 0", [0x40, 2, 0, 0], "a packet has the id 0"],
  ["PUBACK that is too long", [0x40, 3, 0, 1, 0], "packet type 4 has 3 bytes, not 2"],
  ["SUBACK without a code", [0x90, 2, 0, 1], "packet type 9 has 2 bytes, not 3"],
  ["SUBACK with another code", [0x90, 3, 0, 1, 3], "SUBACK has the code 3"],
  ["SUBACK with the id 0", [0x90, 3, 0, 0, 0], "a packet has the id 0"],
  ["UNSUBACK with more", [0xb0, 3, 0, 1, 0], "packet type 11 has 3 bytes, not 2"],
  ["PINGRESP with more", [0xd0, 1, 0], "packet type 13 has 1 bytes, not 0"],
  ["PUBLISH without a topic", [0x30, 0], "PUBLISH ends inside its topic or id"],
  ["PUBLISH with half a length", [0x30, 1, 0], "PUBLISH ends inside its topic or id"],
  [
    "PUBLISH that ends in its topic",
    [0x30, 4, 0, 3, 97, 97],
    "PUBLISH ends inside its topic or id",
  ],
  ["PUBLISH that ends in its id", [0x32, 4, 0, 1, 97, 0], "PUBLISH ends inside its topic or id"],
  ["PUBLISH with the id 0", [0x32, 5, 0, 1, 97, 0, 0], "a packet has the id 0"],
  [
    "PUBLISH of QoS 2",
    [0x34, 5, 0, 1, 97, 0, 1],
    "PUBLISH has QoS 2, and was asked for with at most 1",
  ],
  [
    "PUBLISH of QoS 3",
    [0x36, 5, 0, 1, 97, 0, 1],
    "PUBLISH has QoS 3, and was asked for with at most 1",
  ],
  ["a duplicate of QoS 0", [0x38, 3, 0, 1, 97], "PUBLISH of QoS 0 is no duplicate"],
  ["an empty topic", withTopic([]), "a topic is empty, or has U+0000, # or +"],
  ["a topic with U+0000", withTopic([97, 0]), "a topic is empty, or has U+0000, # or +"],
  ["a topic with +", withTopic([43]), "a topic is empty, or has U+0000, # or +"],
  ["a topic with #", withTopic([97, 35]), "a topic is empty, or has U+0000, # or +"],
  ["a topic with half a character", withTopic([97, 0xc3]), "a topic is not UTF-8"],
  ["a topic with half a pair", withTopic([0xed, 0xa0, 0x80]), "a topic is not UTF-8"],
  ["a topic with a character in too many bytes", withTopic([0xc0, 0xaf]), "a topic is not UTF-8"],
];

for (const [name, stream, reason] of BAD_BODIES) {
  Deno.test(`F5: clientPackets() refuses ${name}`, () => {
    const bytes = Uint8Array.from([...stream, 0xd0, 0]);
    checkCodec(clientPackets(), bytes, [{ type: "PINGRESP" }]);
    const mapped: Packet[] = checkCodec(packets(), Uint8Array.from(stream));
    assertEquals(mapped.length, 1);
    const results = decodeStream(clientPackets() as Codec<unknown>, [bytes]).results;
    assertEquals(results, [{ kind: "InvalidData" }, { frame: { type: "PINGRESP" } }]);
    const error = thrown(() => decodeOne(Uint8Array.from(stream)), "InvalidData", "recvFrame");
    assertEquals(error.reason, reason);
  });
}

function decodeOne(bytes: Uint8Array): FromBroker | undefined {
  const input = new ByteQueue();
  input.push(bytes);
  return clientPackets().decoder().decode(input);
}

Deno.test("F4: a length over the limit is TooLarge before the body comes, and no packet is sent over it", () => {
  const codec = clientPackets(1000);
  const most = { ...PUBLISH, topic: "a", payload: new Uint8Array(997) };
  checkCodec(codec, concat([codec.encode(most)].flat()), [most]);
  const over = { ...most, payload: new Uint8Array(998) };
  assertEquals(thrown(() => codec.encode(over), "TooLarge", "sendFrame").bytesSent, undefined);
  // The system makes no memory for bytes that nobody touches.
  const longest = { type: 3, flags: 0, body: new Uint8Array(2 ** 28) };
  thrown(() => packets(Infinity).encode(longest), "TooLarge", "sendFrame");
  for (
    const [limit, header] of [[1000, [0x30, 0xe9, 7]], [127, [0x30, 0x80, 1]], [0, [
      0x30,
      1,
    ]]] as const
  ) {
    const { results, left } = decodeStream(clientPackets(limit) as Codec<unknown>, [
      Uint8Array.from(header),
    ]);
    assertEquals([results, left.length], [[{ kind: "TooLarge" }], header.length]);
  }
});

const TO_BROKER: readonly (readonly [name: string, packet: ToBroker, bytes: number[]])[] = [
  ["CONNECT", { type: "CONNECT", clientId: "me", keepAliveSeconds: 300 }, [
    0x10,
    14,
    0,
    4,
    77,
    81,
    84,
    84,
    4,
    2,
    1,
    44,
    0,
    2,
    109,
    101,
  ]],
  ["CONNECT with a login", {
    type: "CONNECT",
    clientId: "",
    keepAliveSeconds: 0,
    userName: "u",
    password: "ä",
  }, [0x10, 19, 0, 4, 77, 81, 84, 84, 4, 0xc2, 0, 0, 0, 0, 0, 1, 117, 0, 2, 0xc3, 0xa4]],
  ["PUBLISH of QoS 0", PUBLISH, [0x30, 7, 0, 3, 97, 47, 98, 1, 2]],
  ["a retained PUBLISH of QoS 1", { ...PUBLISH, qos: 1, retain: true, id: 300 }, [
    0x33,
    9,
    0,
    3,
    97,
    47,
    98,
    1,
    44,
    1,
    2,
  ]],
  ["PUBACK", { type: "PUBACK", id: 65535 }, [0x40, 2, 255, 255]],
  ["SUBSCRIBE", { type: "SUBSCRIBE", id: 1, filter: "+/#", qos: 1 }, [
    0x82,
    8,
    0,
    1,
    0,
    3,
    43,
    47,
    35,
    1,
  ]],
  ["UNSUBSCRIBE", { type: "UNSUBSCRIBE", id: 1, filter: "a" }, [0xa2, 5, 0, 1, 0, 1, 97]],
  ["PINGREQ", { type: "PINGREQ" }, [0xc0, 0]],
  ["DISCONNECT", { type: "DISCONNECT" }, [0xe0, 0]],
];

for (const [name, packet, bytes] of TO_BROKER) {
  Deno.test(`clientPackets() writes ${name}`, () => {
    assertEquals(concat([clientPackets().encode(packet)].flat()), Uint8Array.from(bytes));
    assertEquals(checkCodec(packets(), Uint8Array.from(bytes)).length, 1);
  });
}

const CONNECT: ToBroker = { type: "CONNECT", clientId: "", keepAliveSeconds: 60 };
const SUBSCRIBE: ToBroker = { type: "SUBSCRIBE", id: 1, filter: "a", qos: 1 };

const REFUSED: readonly (readonly [name: string, packet: unknown])[] = [
  ["a topic with a wildcard", { ...PUBLISH, topic: "a/+" }],
  ["an empty topic", { ...PUBLISH, topic: "" }],
  ["a topic with U+0000", { ...PUBLISH, topic: "a\0" }],
  ["a topic with half a pair", { ...PUBLISH, topic: "a\ud800" }],
  ["a topic of more than 65,535 bytes", { ...PUBLISH, topic: "ä".repeat(32768) }],
  ["a payload of text", { ...PUBLISH, payload: "text" }],
  ["QoS 2", { ...PUBLISH, qos: 2 }],
  ["an id that is too large", { ...PUBLISH, qos: 1, id: 65536 }],
  ["a PUBLISH with the id 0", { ...PUBLISH, qos: 1, id: 0 }],
  ["a PUBACK with the id 0", { type: "PUBACK", id: 0 }],
  ["a SUBSCRIBE with the id 0", { ...SUBSCRIBE, id: 0 }],
  ["a keep-alive that is too long", { ...CONNECT, keepAliveSeconds: 65536 }],
  ["a keep-alive that is not whole", { ...CONNECT, keepAliveSeconds: 1.5 }],
  ["a password without a name", { ...CONNECT, password: "x" }],
  ...["", "a#", "#/a", "a/#/b", "a+", "+a", "a/+b/c", "##", "++", "a/b+"].map((filter) =>
    [`the filter "${filter}"`, { ...SUBSCRIBE, filter }] as const
  ),
  ["an unknown packet", { type: "PUBREC", id: 1 }],
  ["a value that is no packet", 1],
];

for (const [name, packet] of REFUSED) {
  Deno.test(`clientPackets() does not encode ${name}`, () => {
    thrown(() => clientPackets().encode(packet as ToBroker), "InvalidInput", "sendFrame");
  });
}

for (const filter of ["#", "+", "+/+", "/", "a//b", "+/a/#", "$SYS/#", "/+", "ä/+"]) {
  Deno.test(`clientPackets() encodes the filter "${filter}"`, () => {
    assertEquals([clientPackets().encode({ ...SUBSCRIBE, filter })].flat().length, 1);
  });
}

const publish: fc.Arbitrary<Publish> = fc.record({
  topic: fc.string({ minLength: 1, unit: "grapheme" }).filter((topic) => !/[\0#+]/.test(topic)),
  payload: fc.uint8Array({ maxLength: 300 }),
  qos: fc.constantFrom(0 as const, 1 as const),
  retain: fc.boolean(),
  id: fc.integer({ min: 1, max: 65535 }),
}).map((message) => ({ ...message, type: "PUBLISH", id: message.qos * message.id }));

Deno.test("F3: any messages come out of clientPackets() as they went in, at every split", () => {
  const codec = clientPackets();
  fc.assert(fc.property(fc.array(publish, { maxLength: 3 }), (messages) => {
    checkCodec(codec, concat(messages.flatMap((message) => codec.encode(message))), messages);
  }));
});

/** First bytes with the flags that their types must have, and the eight of PUBLISH with any. */
const FIRST_BYTES = [0x10, 0x20, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90, 0xa2, 0xb0, 0xc0, 0xd0, 0xe0];
const PUBLISH_BYTES = Array.from({ length: 16 }, (_, flags) => 0x30 + flags);

Deno.test("F5: any bodies give packets or InvalidData, the same at every split", () => {
  const first = fc.constantFrom(...FIRST_BYTES, ...PUBLISH_BYTES);
  const body = fc.array(fc.oneof(fc.constantFrom(0, 1, 2, 97), fc.nat(255)), { maxLength: 12 });
  const packet = fc.tuple(first, body).map(([byte, body]) =>
    Uint8Array.from([byte, body.length, ...body])
  );
  fc.assert(fc.property(fc.array(packet, { maxLength: 4 }), (parts) => {
    const stream = concat(parts);
    checkCodec(clientPackets(), stream);
    assertEquals(checkCodec(packets(), stream).length, parts.length);
  }));
});

Deno.test("F5: any bytes give MQTT packets or a SocketError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (stream) => {
    checkCodec(packets(), stream);
    decodeStream(clientPackets() as Codec<unknown>, [stream]);
  }));
});
