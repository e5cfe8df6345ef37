import { assert, assertEquals } from "@std/assert";
import { abort, connectionOver, SocketError, startTls, type Transport } from "../../../mod.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { type Random, withSeed } from "../../support/random.ts";
import { testAuthority } from "../../support/tls_kinds.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

const ROUNDS = 60;
/** A whole handshake takes 10 ms. If damage leaves both sides waiting, they wait for as long as this (ms). */
const HANDSHAKE_TIMEOUT_MS = 200;
/** Bytes of a handshake in one direction, about. */
const HANDSHAKE_BYTES = 2500;
const KINDS = ["TlsFailed", "CertificateRejected", "UnexpectedEof", "TimedOut", "BrokenPipe"];
const { ca, server, client } = await testAuthority();

type Damage = (bytes: Uint8Array<ArrayBuffer>, at: number, random: Random) => Uint8Array | null;

/** The ways to damage what passes; `at` is the place in these bytes. `null` is an end. */
const DAMAGES: readonly Damage[] = [
  (bytes, at, random) => {
    bytes[at] ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, at, random) => bytes.fill(random.below(256), at, at + 1 + random.below(40)),
  (bytes, at) => new Uint8Array([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]),
  (bytes, at, random) => {
    const more = Array.from({ length: 1 + random.below(300) }, () => random.below(256));
    return new Uint8Array([...bytes.subarray(0, at), ...more, ...bytes.subarray(at)]);
  },
  () => null,
];

/** Damages the bytes that are written to a transport at one place. */
function damaged(
  inner: AwkwardTransport,
  damage: Damage,
  place: number,
  random: Random,
): Transport {
  let passed = 0;
  return {
    read: (buffer) => inner.read(buffer),
    async write(bytes) {
      const at = place - passed;
      passed += bytes.length;
      const isHere = at >= 0 && at < bytes.length;
      const out = isHere ? damage(bytes.slice(), at, random) : bytes;
      if (out === null) await inner.closeWrite();
      else for (let sent = 0; sent < out.length;) sent += await inner.write(out.subarray(sent));
      return bytes.length;
    },
    close: () => inner.close(),
    closeWrite: () => inner.closeWrite(),
  };
}

Deno.test("T1: damage anywhere in a handshake ends it with an error of this package, on both sides", async () => {
  using unhandled = watchUnhandled();
  await withSeed(async (random) => {
    let failures = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const [one, other] = AwkwardTransport.pair(random);
      const damage = DAMAGES[random.below(DAMAGES.length)];
      const place = random.below(HANDSHAKE_BYTES);
      const byClient = random.below(2) === 0;
      const wrap = (transport: AwkwardTransport, isDamaged: boolean) =>
        connectionOver(isDamaged ? damaged(transport, damage, place, random) : transport);
      const options = { handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
      const results = await Promise.allSettled([
        startTls(wrap(one, byClient), {
          role: "client",
          caCerts: [ca.cert],
          serverName: "server.test",
          cert: client.cert,
          key: client.key,
          ...options,
        }),
        startTls(wrap(other, !byClient), {
          role: "server",
          cert: server.cert,
          key: server.key,
          clientCaCerts: [ca.cert],
          ...options,
        }),
      ]);
      for (const result of results) {
        if (result.status === "fulfilled") {
          abort(result.value);
          continue;
        }
        failures++;
        const { reason } = result;
        assert(reason instanceof SocketError, String(reason));
        assert(KINDS.includes(reason.kind), reason.message);
      }
    }
    assert(failures > 0);
  });
  assertEquals(await unhandled.seen(), []);
});
