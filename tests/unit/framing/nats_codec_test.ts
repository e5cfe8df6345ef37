import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import fc from "fast-check";
import { ByteQueue, type SocketErrorKind } from "../../../mod.ts";
import { checkCodec } from "../../../testing.ts";
import { type FromServer, natsMessages, type ToServer } from "../../../examples/nats_codec.ts";
import { thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";
import { randomRuns } from "../../support/runs.ts";

const EMPTY = new Uint8Array();
const MSG = { type: "MSG", subject: "room.1", sid: 7, payload: bytesOf("21.5") } as const;

const FROM_SERVER: readonly (readonly [stream: string, frame: FromServer])[] = [
  ['INFO {"max_payload":1048576} \r\n', { type: "INFO", info: { max_payload: 1048576 } }],
  ["info {}\r\n", { type: "INFO", info: {} }],
  ["MSG room.1 7 4\r\n21.5\r\n", MSG],
  ["msg\troom.1  7 004\r\n21.5\r\n", MSG],
  ["MSG room.1 7 _INBOX.a 4\r\n21.5\r\n", { ...MSG, reply: "_INBOX.a" }],
  ["MSG räume 7 0\r\n\r\n", { ...MSG, subject: "räume", payload: EMPTY }],
  ["MSG room.1 7 6\r\nPING\r\n\r\n", { ...MSG, payload: bytesOf("PING\r\n") }],
  ["PING\r\n", { type: "PING" }],
  ["pong \r\n", { type: "PONG" }],
  ["+OK\r\n", { type: "+OK" }],
  ["-ERR 'Authorization Violation'\r\n", { type: "-ERR", reason: "Authorization Violation" }],
  ["-ERR\r\n", { type: "-ERR", reason: "" }],
];

for (const [stream, frame] of FROM_SERVER) {
  Deno.test(`natsMessages() reads ${JSON.stringify(stream)} at every split`, () => {
    checkCodec(natsMessages(), bytesOf(stream), [frame]);
    checkCodec(natsMessages(), bytesOf(stream + stream + "PING\r\n"), [frame, frame, {
      type: "PING",
    }]);
  });
}

const WRONG: readonly (readonly [stream: string | Uint8Array, kind: SocketErrorKind])[] = [
  ["\r\n", "InvalidData"],
  ["\n", "InvalidData"],
  [" PING\r\n", "InvalidData"],
  ["PING\n", "InvalidData"],
  ["PING 1\r\n", "InvalidData"],
  ["PONGO\r\n", "InvalidData"],
  ["HTTP/1.1 400 Bad Request\r\n", "InvalidData"],
  ["HMSG a 1 12 14\r\nNATS/1.0\r\n\r\nab\r\n", "InvalidData"],
  ["INFO\r\n", "InvalidData"],
  ["INFO {\r\n", "InvalidData"],
  ["INFO []\r\n", "InvalidData"],
  ["INFO null\r\n", "InvalidData"],
  ["MSG \r\n", "InvalidData"],
  ["MSG a\r\n", "InvalidData"],
  ["MSG a 1\r\n", "InvalidData"],
  ["MSG a 1 b c 4\r\n", "InvalidData"],
  ["MSG a 0 4\r\n", "InvalidData"],
  ["MSG a x 4\r\n", "InvalidData"],
  ["MSG a 1 -4\r\n", "InvalidData"],
  ["MSG a 1 4.5\r\n", "InvalidData"],
  ["MSG a 1 0x4\r\n", "InvalidData"],
  ["MSG a 1 1e3\r\n", "InvalidData"],
  ["MSG a 1 9999999999999999\r\n", "InvalidData"],
  ["MSG a 1 101\r\n", "TooLarge"],
  ["MSG a 1 999999999999999\r\n", "TooLarge"],
  ["MSG a 1 2\r\nabc\r\n", "InvalidData"],
  ["MSG a 1 2\r\nab\n\r", "InvalidData"],
  ["x".repeat(32 * 1024 + 1), "TooLarge"],
  [`INFO ${"x".repeat(32 * 1024)}\r\n`, "TooLarge"],
  [Uint8Array.of(0x2d, 0x45, 0x52, 0x52, 0x20, 0xff, 13, 10), "InvalidData"],
];

for (const [stream, kind] of WRONG) {
  const name = JSON.stringify(typeof stream === "string" ? stream.slice(0, 40) : [...stream]);
  Deno.test(`natsMessages() refuses ${name}, whole and byte by byte`, () => {
    const bytes = typeof stream === "string" ? bytesOf(stream) : stream;
    const decoder = natsMessages(100).decoder();
    const whole = new ByteQueue();
    whole.push(bytes);
    const error = thrown(() => decoder.decode(whole), kind, "recvFrame", name);
    const inPieces = natsMessages(100).decoder();
    const input = new ByteQueue();
    const another = thrown(
      () => {
        for (const byte of bytes) {
          input.push(Uint8Array.of(byte));
          assertEquals(inPieces.decode(input), undefined);
        }
      },
      kind,
      "recvFrame",
      name,
    );
    if (kind === "InvalidData") assertEquals(another.message, error.message);
  });
}

Deno.test("natsMessages() knows that a payload is too long before it comes, and makes no memory for it", () => {
  const input = new ByteQueue();
  input.push(bytesOf("MSG a 1 1048577\r\n"));
  thrown(() => natsMessages().decoder().decode(input), "TooLarge", "recvFrame");
});

Deno.test("natsMessages() goes on after another reader has taken a line whose payload had not come", () => {
  const decoder = natsMessages().decoder();
  const input = new ByteQueue();
  input.push(bytesOf("MSG room.1 7 4\r\n"));
  assertEquals(decoder.decode(input), undefined);
  input.skip(input.length);
  input.push(bytesOf("PONG\r\nMSG room.1 7 4\r\n21.5\r\n"));
  assertEquals([decoder.decode(input), decoder.decode(input)], [{ type: "PONG" }, MSG]);
});

const TO_SERVER: readonly (readonly [frame: ToServer, stream: string])[] = [
  [
    { type: "CONNECT", options: { verbose: false, user: "a\r\nb", token: undefined } },
    'CONNECT {"verbose":false,"user":"a\\r\\nb"}\r\n',
  ],
  [{ type: "PUB", subject: "a.b", payload: bytesOf("x\r\ny") }, "PUB a.b 4\r\nx\r\ny\r\n"],
  [{ type: "PUB", subject: "a*", reply: "c", payload: EMPTY }, "PUB a* c 0\r\n\r\n"],
  [{ type: "SUB", subject: "a.*.>", sid: 7 }, "SUB a.*.> 7\r\n"],
  [{ type: "SUB", subject: "räume", queue: "q", sid: 7 }, "SUB räume q 7\r\n"],
  [{ type: "UNSUB", sid: 7 }, "UNSUB 7\r\n"],
  [{ type: "UNSUB", sid: 7, max: 1 }, "UNSUB 7 1\r\n"],
  [{ type: "PING" }, "PING\r\n"],
  [{ type: "PONG" }, "PONG\r\n"],
];

for (const [frame, stream] of TO_SERVER) {
  Deno.test(`natsMessages() writes ${JSON.stringify(stream)}`, () => {
    const bytes = [natsMessages().encode(frame)].flat() as Uint8Array[];
    assertEquals(new TextDecoder().decode(concat(bytes)), stream);
  });
}

for (
  const subject of [
    "",
    " ",
    "a b",
    "a\r\nPUB b 0\r\n",
    "a\tb",
    "a\0",
    "a\x7f",
    "\ud800",
    "a\u2028b",
  ]
) {
  Deno.test(`natsMessages() refuses the subject ${JSON.stringify(subject)}, which could be another message`, () => {
    const { encode } = natsMessages();
    for (
      const frame of [
        { type: "PUB", subject, payload: EMPTY },
        { type: "PUB", subject: "a", reply: subject, payload: EMPTY },
        { type: "SUB", subject, sid: 1 },
        { type: "SUB", subject: "a", queue: subject, sid: 1 },
      ] as const
    ) {
      thrown(() => encode(frame), "InvalidInput", "sendFrame");
    }
  });
}

Deno.test("natsMessages() refuses to publish to a wildcard, a payload that is no bytes or too long, and what is no message", () => {
  const { encode } = natsMessages(3);
  for (const subject of ["*", ">", "a.*", "a.*.b", "a.>"]) {
    thrown(() => encode({ type: "PUB", subject, payload: EMPTY }), "InvalidInput", "sendFrame");
  }
  const payload = new Uint8Array(4);
  thrown(() => encode({ type: "PUB", subject: "a", payload }), "TooLarge", "sendFrame");
  for (const frame of [{ type: "PUB", subject: "a", payload: "text" }, { type: "MSG" }, {}]) {
    thrown(() => encode(frame as unknown as ToServer), "InvalidInput", "sendFrame");
  }
});

Deno.test("natsMessages() gives the same messages however the stream was cut", () => {
  const word = fc.stringMatching(/^[a-z0-9._-]{1,20}$/);
  const message = fc.record({
    type: fc.constant("MSG" as const),
    subject: word,
    sid: fc.integer({ min: 1, max: 2 ** 40 }),
    payload: fc.uint8Array({ maxLength: 200 }),
  }, { noNullPrototype: true });
  const frames = fc.array(message, { maxLength: 10 });
  fc.assert(
    fc.property(frames, fc.infiniteStream(fc.integer({ min: 1, max: 50 })), (frames, sizes) => {
      const stream = concat(frames.flatMap(({ subject, sid, payload }) => [
        bytesOf(`MSG ${subject} ${sid} ${payload.length}\r\n`),
        payload,
        bytesOf("\r\n"),
      ]));
      const decoder = natsMessages().decoder();
      const input = new ByteQueue();
      const decoded: (FromServer | undefined)[] = [];
      for (let at = 0; at < stream.length;) {
        const { value } = sizes.next();
        input.push(stream.slice(at, at + value));
        at += value;
        for (let frame; (frame = decoder.decode(input)) !== undefined;) decoded.push(frame);
      }
      assertEquals(decoded, frames);
    }),
    { numRuns: randomRuns(1000) },
  );
});

Deno.test("natsMessages() gives or refuses any bytes, and never hangs on a few", () => {
  const part = fc.oneof(
    fc.constantFrom("MSG ", "a ", "1 ", "4", "\r\n", "PING", "-ERR ", "INFO {}", "+OK", " ", "\n"),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const input = new ByteQueue();
      input.push(bytesOf(parts.join("")));
      const decoder = natsMessages(100).decoder();
      for (let before = input.length; input.length > 0; before = input.length) {
        try {
          if (decoder.decode(input) === undefined) break;
        } catch (error) {
          assert(
            ["InvalidData", "TooLarge"].includes((error as { kind: string }).kind),
            `${error}`,
          );
          break;
        }
        assert(input.length < before);
      }
    }),
    { numRuns: randomRuns(5000) },
  );
});
