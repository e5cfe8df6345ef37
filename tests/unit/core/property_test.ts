import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat, equals } from "@std/bytes";
import fc from "fast-check";
import {
  abort,
  closeWrite,
  connectionOver,
  formatAddress,
  parseAddress,
  recv,
  recvInto,
  send,
  SocketError,
} from "../../../mod.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { Random } from "../../support/random.ts";
import { randomRuns } from "../../support/runs.ts";

const RUNS = randomRuns(10_000);

/** fast-check names the seed and the path of a failure by itself. */
const parameters = { numRuns: RUNS };

const label = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,20}$/);
/** IPv4 that IPv6 carries has no zones. */
const zoned = fc.tuple(fc.ipV6(), fc.stringMatching(/^[A-Za-z0-9._~-]{1,15}$/))
  .filter(([address]) => !isMapped(address))
  .map(([address, zone]) => `${address}%${zone}`);
const host = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  zoned,
  fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
);
const port = fc.integer({ min: 0, max: 65535 });

Deno.test("parseAddress() reads what formatAddress() writes", () => {
  fc.assert(
    fc.property(host, port, (host, port) => {
      const text = formatAddress({ host, port });
      const address = parseAddress(text);
      assert(Object.isFrozen(address));
      assertEquals(address.port, port);
      // Only an IPv4 address that IPv6 carries is given in another form, the shorter one.
      if (address.host !== host) assert(isMapped(host), `${host} became ${address.host}`);
      assertEquals(parseAddress(formatAddress(address)), address);
    }),
    parameters,
  );
});

function isMapped(host: string): boolean {
  return new URL(`http://[${host}]`).hostname.startsWith("[::ffff:");
}

Deno.test("E1: parseAddress() takes any text or throws InvalidInput", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^[0-9a-fx.:[\]%]*$/),
    fc.tuple(host, fc.string()).map(([host, rest]) => `${host}:${rest}`),
  );
  fc.assert(
    fc.property(text, (text) => {
      try {
        const { host, port } = parseAddress(text);
        assert(host.length > 0 && Number.isInteger(port) && port >= 0 && port <= 65535);
      } catch (error) {
        assert(error instanceof SocketError && error.kind === "InvalidInput");
        assert(error.message.length < 300 && !error.message.includes("\n"));
      }
    }),
    parameters,
  );
});

Deno.test("E1: parseAddress() refuses every port beyond 65535 and every leading zero", () => {
  const wrong = fc.oneof(
    fc.integer({ min: 65536 }).map(String),
    fc.integer({ min: 0, max: 65535 }).map((port) => `0${port}`),
    fc.integer({ max: -1 }).map(String),
    fc.double({ noInteger: true, noNaN: true }).map(String),
  );
  fc.assert(
    fc.property(wrong, (port) => {
      const error = assertThrows(() => parseAddress(`127.0.0.1:${port}`), SocketError);
      assertEquals(error.kind, "InvalidInput");
    }),
    parameters,
  );
});

Deno.test("a host is an IPv6 address exactly if the URL standard says so", () => {
  const text = fc.oneof(
    fc.ipV6(),
    fc.stringMatching(/^[0-9a-f:]{2,24}$/),
    fc.stringMatching(/^[0-9a-f:]{2,12}:[0-9]{1,3}(\.[0-9]{1,3}){3}$/),
  ).filter((text) => text.includes(":"));
  fc.assert(
    fc.property(text, (host) => {
      const expected = URL.canParse(`http://[${host}]`);
      let parsed = true;
      try {
        parseAddress(`[${host}]:1`);
      } catch {
        parsed = false;
      }
      assertEquals(parsed, expected, host);
    }),
    parameters,
  );
});

Deno.test("S2: any split of any sends gives the same bytes", async () => {
  const sends = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
  const reads = fc.infiniteStream(fc.integer({ min: 1, max: 64 }));
  await fc.assert(
    fc.asyncProperty(sends, reads, fc.integer(), fc.boolean(), async (sends, reads, seed, into) => {
      const [near, far] = AwkwardTransport.pair(new Random(seed)).map((transport) =>
        connectionOver(transport)
      );
      const sending = Promise.all(sends.map((bytes) => send(near, bytes)))
        .then(() => closeWrite(near));
      const received: Uint8Array[] = [];
      for (const size of reads) {
        const buffer = new Uint8Array(size);
        const bytes = into
          ? await recvInto(far, buffer).then((count) => count && buffer.subarray(0, count))
          : await recv(far, { maxBytes: size });
        if (!bytes) break;
        assert(bytes.length <= size);
        received.push(bytes);
      }
      await sending;
      const expected = concat(sends);
      assert(equals(concat(received), expected));
      assertEquals(near.bytesSent, expected.length);
      assertEquals(far.bytesReceived, expected.length);
      abort(near);
      abort(far);
    }),
    parameters,
  );
});
