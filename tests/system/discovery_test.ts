/** The examples that find things in a network: SSDP, the messages of multicast DNS, and time servers. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { bindUdp, closeUdp, type Datagram, recvFrom, sendTo, type UdpSocket } from "../../mod.ts";
import {
  decodeMessage,
  type DnsRecord,
  encodeMessage,
  isSameName,
  TYPES,
} from "../../examples/mdns_message.ts";
import { LOOPBACK } from "../support/open_handles.ts";
import { Random } from "../support/random.ts";
import { soon } from "../support/socket_errors.ts";
import { Example } from "./support/example.ts";

const LOCAL = ["--interface", "127.0.0.1"];

async function freePort(): Promise<string> {
  const socket = await bindUdp(LOOPBACK);
  await closeUdp(socket);
  return `${socket.address.port}`;
}

/** Asserts that an example prints the problem as one line, and exits with 2. */
async function assertRefused(name: string, problem: RegExp, ...args: string[]): Promise<void> {
  await using example = Example.start(name, ...args);
  assertEquals([await example.end(), example.output], [2, ""]);
  assertMatch(await example.errors(), problem);
}

for (const flags of [[], ["--unstable-net"]]) {
  Deno.test(`ssdp.ts finds the device that another one announces, ${flags}`, async () => {
    const all = ["--no-prompt", "--allow-net", ...flags];
    const place = [...LOCAL, "--port", await freePort()];
    const device = ["urn:example:device:1", "http://127.0.0.1:8000/"];
    await using first = Example.startWith(all, "ssdp", "announce", ...device, ...place);
    await first.until(/^announced urn:example:device:1\n/);
    await using second = Example.startWith(all, "ssdp", "announce", "urn:b", "http://b/", ...place);
    await second.until(/^announced urn:b\n/);
    const search = (...target: string[]) =>
      Example.run("ssdp", "search", ...target, "--seconds", "2", ...place);
    const [one, every, none] = await Promise.all([
      search("urn:b"),
      search(),
      search("urn:none"),
    ]);
    assertMatch(one.output, /^uuid:[0-9a-f-]{36}::urn:b http:\/\/b\/\n$/);
    assertEquals(every.output.trim().split("\n").length, 2, every.output);
    assert(every.output.includes("::urn:example:device:1 http://127.0.0.1:8000/\n"));
    assertEquals(none, { output: "no device answered\n", code: 0 });
    for (const example of [first, second]) {
      example.signal("SIGTERM");
      assertEquals(await example.end(), 0);
    }
  });
}

Deno.test("ssdp.ts and mdns.ts say what is wrong with their arguments", async () => {
  for (
    const args of [[], ["find"], ["announce", "urn:a"], ["search", "a", "b"], ["search", "a b"]]
  ) {
    await assertRefused("ssdp", /^usage: ssdp\.ts/, ...args);
  }
  await assertRefused("ssdp", /^seconds is a number above 0\n$/, "search", "--seconds", "0");
  const wrong = [[], ["browse"], ["browse", "http"], ["browse", "_http._tcp", "x"]];
  for (const args of [...wrong, ["announce", "a", "_http._tcp", "80"]]) {
    await assertRefused("mdns", /^usage: mdns\.ts/, ...args);
  }
  const long = ["announce", "x".repeat(64), "_http._tcp", "80", ...LOCAL];
  await assertRefused("mdns", /^a name has 1 to 63 bytes\n$/, ...long);
  const elsewhere = ["--interface", "192.0.2.1"];
  const nowhere =
    /^joinMulticast 239.255.255.250:\d+: no interface of this machine has the address/;
  await assertRefused(
    "ssdp",
    nowhere,
    "announce",
    "a",
    "b",
    "--port",
    await freePort(),
    ...elsewhere,
  );
});

const NAME = ["Room 1.2", "_http", "_tcp", "local"];
const RECORDS: readonly DnsRecord[] = [
  { name: NAME.slice(1), type: TYPES.PTR, ttl: 120, data: NAME },
  { name: NAME, type: TYPES.SRV, ttl: 120, data: { host: ["höst", "local"], port: 65535 } },
  { name: NAME, type: TYPES.TXT, ttl: 4500, data: "path=/x" },
  { name: ["höst", "local"], type: TYPES.A, ttl: 0, data: "192.0.2.7" },
];

Deno.test("a message of multicast DNS is read as it was written", () => {
  const questions = [{ name: NAME, type: TYPES.ANY }];
  const message = { id: 7, isAnswer: true, questions, records: RECORDS };
  assertEquals(decodeMessage(encodeMessage(message)), message);
  assert(isSameName(["A", "local"], ["a", "LOCAL"]));
  assert(!isSameName(["a.local"], ["a", "local"]));
});

Deno.test("malformed messages of multicast DNS throw, and never take long", () => {
  const random = new Random(16);
  const whole = encodeMessage({ isAnswer: true, records: RECORDS });
  for (let length = 0; length < whole.length; length++) {
    assertThrows(() => decodeMessage(whole.subarray(0, length)));
  }
  // A pointer to itself, and one that leads forwards.
  for (const target of [12, 14]) {
    assertThrows(() =>
      decodeMessage(
        new Uint8Array([
          ...new Array(5).fill(0),
          1,
          ...new Array(6).fill(0),
          0xc0,
          target,
          0,
          1,
          0,
          1,
        ]),
      )
    );
  }
  for (let round = 0; round < 5000; round++) {
    const bytes = whole.slice();
    for (let change = 0; change < 3; change++) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    try {
      decodeMessage(bytes);
    } catch (error) {
      assert(error instanceof Error);
    }
  }
});

/** Seconds from 1900 to 1970. */
const EPOCH = 2_208_988_800;

/** Writes the answer of a time server whose clock is `ahead` seconds ahead of this machine's. */
function timeAnswer(
  request: Uint8Array,
  ahead: number,
  { first = 0b00_100_100, stratum = 2 } = {},
) {
  const answer = new Uint8Array(48);
  const view = new DataView(answer.buffer);
  answer[0] = first;
  answer[1] = stratum;
  if (stratum === 0) answer.set(new TextEncoder().encode("RATE"), 12);
  answer.set(request.subarray(40), 24);
  const time = Date.now() / 1000 + ahead + EPOCH;
  for (const offset of [32, 40]) {
    view.setUint32(offset, Math.floor(time) % 2 ** 32);
    view.setUint32(offset + 4, Math.floor((time % 1) * 2 ** 32));
  }
  return answer;
}

async function answerWith(server: UdpSocket, make: (question: Datagram) => Uint8Array[]) {
  const question = await soon(recvFrom(server));
  assertEquals([question.bytes.length, question.bytes[0]], [48, 0b00_100_011]);
  for (const answer of make(question)) await sendTo(server, question.from, answer);
}

async function queryTime(
  ...answers: ((question: Datagram) => Uint8Array[])[]
): Promise<{ code: number; output: string; errors: string }> {
  await using server = await bindUdp(LOOPBACK);
  await using example = Example.start("ntp_query", "127.0.0.1", "--port", `${server.address.port}`);
  for (const answer of answers) await answerWith(server, answer);
  return { code: await example.end(), output: example.output, errors: await example.errors() };
}

Deno.test("ntp_query.ts gives the offset of the clock, also when an answer was lost", async () => {
  for (const ahead of [0, 3600, -3600, 40 * 365 * 86_400]) {
    const { code, output } = await queryTime(() => [], ({ bytes }) => [timeAnswer(bytes, ahead)]);
    assertEquals(code, 0);
    const [, offset] = /^offset ([+-][\d.]+) s, delay -?[\d.]+ s, stratum 2\n$/.exec(output)!;
    assert(Math.abs(Number(offset) - ahead) < 30, output);
  }
});

Deno.test("ntp_query.ts passes over forged answers and other datagrams", async () => {
  const { code, output } = await queryTime(({ bytes }) => {
    const forged = timeAnswer(bytes, 1_000_000);
    forged[24] ^= 1;
    const question = timeAnswer(bytes, 1_000_000, { first: 0b00_100_011 });
    return [forged, question, new Uint8Array(3), new Uint8Array(), timeAnswer(bytes, 0)];
  });
  assertEquals(code, 0);
  assert(Math.abs(Number(/^offset ([+-][\d.]+)/.exec(output)![1])) < 30, output);
});

Deno.test("ntp_query.ts says why a server gives no time", async () => {
  const refused = await queryTime(({ bytes }) => [timeAnswer(bytes, 0, { stratum: 0 })]);
  assertEquals([refused.code, refused.errors], [1, "127.0.0.1: the server refuses: RATE\n"]);
  for (const options of [{ first: 0b11_100_100 }, { stratum: 16 }]) {
    const timeless = await queryTime(({ bytes }) => [timeAnswer(bytes, 0, options)]);
    assertEquals(
      [timeless.code, timeless.errors],
      [1, "127.0.0.1: the server has no time itself\n"],
    );
  }
  const silent = await queryTime(() => [], () => [], () => []);
  assertEquals(silent.code, 1);
  assertMatch(silent.errors, /^(no answer from 127\.0\.0\.1:\d+, attempt \d of 3\n){3}$/);
  await assertRefused("ntp_query", /^usage: ntp_query\.ts/);
});
