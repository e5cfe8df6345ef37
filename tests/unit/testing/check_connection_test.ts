import { assert, assertEquals, AssertionError, assertRejects, assertThrows } from "@std/assert";
import {
  abort,
  accept,
  type Connection,
  connectionOver,
  send,
  type SocketAddress,
  SocketError,
  type Transport,
} from "../../../mod.ts";
import {
  checkConnection,
  type ConnectionCheck,
  type ConnectionPair,
  memoryNetwork,
  type ResettableConnection,
} from "../../../testing.ts";
import { AwkwardTransport } from "../../support/awkward_transport.ts";
import { Random } from "../../support/random.ts";

const network = memoryNetwork({ latency: 0, jitter: 0 });

async function memoryPair(): Promise<ConnectionPair> {
  await using listener = await network.host("far").listen({ host: "far", port: 0 });
  const { port } = listener.address;
  const connecting = network.host("near").connect({ host: "far", port });
  const [near, far] = await Promise.all([connecting, accept(listener)]);
  return { near, far };
}

async function memoryReset(): Promise<ResettableConnection> {
  const { near, far } = await memoryPair();
  return {
    near,
    async reset(bytes: Uint8Array): Promise<void> {
      await send(far, bytes);
      network.reset(far);
    },
  };
}

for (const check of checkConnection(memoryPair, { makeReset: memoryReset })) {
  Deno.test(`checkConnection() passes over a network in memory: ${check.name}`, check);
}

/** Makes pairs over transports of which one does something wrong. */
function spoiltPair(spoil: (transport: Transport) => Partial<Transport>): ConnectionPair {
  const [one, other] = AwkwardTransport.pair(new Random(7));
  const plain: Transport = {
    read: (buffer) => one.read(buffer),
    write: (bytes) => one.write(bytes),
    close: () => one.close(),
    closeWrite: () => one.closeWrite(),
  };
  return { near: connectionOver({ ...plain, ...spoil(plain) }), far: connectionOver(other) };
}

function find(checks: readonly ConnectionCheck[], part: string): ConnectionCheck {
  const check = checks.find(({ name }) => name.includes(part));
  assert(check !== undefined, part);
  return check;
}

/** Transports with a mistake, each with a row that must find it. */
const MISTAKES: readonly [
  what: string,
  row: string,
  spoil: (transport: Transport) => Partial<Transport>,
][] = [
  ["changes a byte", "1 MiB in random pieces", ({ write }) => ({
    write: (bytes) => write(bytes.map((byte) => byte === 200 ? 201 : byte)),
  })],
  ["says that it took more than it did", "1 MiB in random pieces", ({ write }) => ({
    write: async (bytes) => {
      if (bytes.length > 1) await write(bytes.subarray(1));
      return bytes.length;
    },
  })],
  ["ends both directions with one", "closeWrite gives the peer the data", ({ close }) => ({
    closeWrite: async () => await close(),
  })],
  ["cannot end one direction", "the end of stream repeats", () => ({ closeWrite: undefined })],
];

for (const [what, row, spoil] of MISTAKES) {
  Deno.test(`checkConnection() finds a transport that ${what}`, async () => {
    const check = find(checkConnection(() => spoiltPair(spoil), { seed: 3 }), row);
    const error = await assertRejects(check, AssertionError);
    assert(error.message.includes("(seed 3)"), error.message);
    assert(error.message.startsWith("row "), error.message);
  });
}

Deno.test("checkConnection() leaves out rows about resets if nothing can reset", () => {
  const all = checkConnection(memoryPair, { makeReset: memoryReset });
  const some = checkConnection(memoryPair);
  assertEquals(all.length - some.length, 6);
  assertEquals(new Set(all.map(({ name }) => name)).size, all.length, "each name is there once");
});

Deno.test("checkConnection() disposes the pair and aborts both ends", async () => {
  let disposed = 0;
  const ends: Connection<SocketAddress>[] = [];
  const check = find(
    checkConnection(async () => {
      const pair = await memoryPair();
      ends.push(pair.near, pair.far);
      return {
        ...pair,
        [Symbol.asyncDispose](): Promise<void> {
          disposed += 1;
          return Promise.resolve();
        },
      };
    }),
    "maxBytes 0",
  );
  await check();
  assertEquals(disposed, 1);
  for (const end of ends) {
    const error = await assertRejects(() => send(end, new Uint8Array(1)), SocketError);
    assertEquals(error.kind, "Closed");
  }
});

Deno.test("checkConnection() of a wrong argument is InvalidInput", async () => {
  const wrong: [unknown, unknown?][] = [
    [undefined],
    [memoryPair, 7],
    [memoryPair, { makeReset: 7 }],
    [memoryPair, { seed: -1 }],
    [memoryPair, { seed: 1.5 }],
  ];
  for (const [makePair, options] of wrong) {
    const call = () => checkConnection(makePair as typeof memoryPair, options as undefined);
    assertEquals(assertThrows(call, SocketError).kind, "InvalidInput");
  }
  const [check] = checkConnection(() => ({ near: {}, far: {} }) as unknown as ConnectionPair);
  await assertRejects(check, AssertionError, "not a Connection");
});

Deno.test("checkConnection() drops what a pair has opened if it fails", async () => {
  const { near, far } = await memoryPair();
  const check = find(checkConnection(() => ({ near, far: near })), "1,000 ping-pongs");
  await assertRejects(check, AssertionError);
  abort(far);
  const error = await assertRejects(() => send(near, new Uint8Array(1)), SocketError);
  assertEquals(error.kind, "Closed");
});
