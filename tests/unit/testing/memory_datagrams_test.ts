import { assert, assertEquals } from "@std/assert";
import { recvFrom, sendTo, SocketError, type UdpSocket } from "../../../mod.ts";
import { type LinkSettings, type MemoryNetwork, simulate } from "../../../testing.ts";

const COUNT = 1000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function sockets(network: MemoryNetwork): Promise<[sender: UdpSocket, receiver: UdpSocket]> {
  return [
    await network.host("near").bindUdp({ host: "near", port: 0 }),
    await network.host("far").bindUdp({ host: "far", port: 9 }),
  ];
}

/** Sends numbered datagrams, and returns the numbers that come. */
function flood(seed: number, settings: LinkSettings): Promise<number[]> {
  return simulate({ seed, ...settings }, async (network) => {
    const [sender, receiver] = await sockets(network);
    const numbers: number[] = [];
    void (async () => {
      for await (const { bytes } of receiver) numbers.push(bytes[0] << 8 | bytes[1]);
    })();
    for (let number = 0; number < COUNT; number++) {
      await sendTo(sender, { host: "far", port: 9 }, new Uint8Array([number >> 8, number & 255]));
      await sleep(1);
    }
    await sleep(1000);
    return numbers;
  });
}

function isSorted(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || numbers[index - 1] <= number);
}

Deno.test("M6: datagrams come in order and once, also with jitter", async () => {
  const numbers = await flood(1, { jitter: 30 });
  assertEquals(numbers, Array.from({ length: COUNT }, (_, index) => index));
});

Deno.test("M6: loss, duplication and reordering happen to datagrams as often as the settings say", async () => {
  const lost = await flood(2, { loss: 0.2 });
  assert(lost.length > 700 && lost.length < 900, `${lost.length} came`);
  assert(isSorted(lost));
  const twice = await flood(3, { duplication: 0.2 });
  assert(twice.length > 1100 && twice.length < 1300, `${twice.length} came`);
  assertEquals(new Set(twice).size, COUNT);
  const mixed = await flood(4, { reordering: 0.2, latency: 10 });
  assertEquals(mixed.length, COUNT);
  assert(!isSorted(mixed));
  assertEquals((await flood(5, { loss: 1 })).length, 0);
});

Deno.test("M6: datagrams in a partition are lost", async () => {
  await simulate({ seed: 6 }, async (network) => {
    const [sender, receiver] = await sockets(network);
    const to = { host: "far", port: 9 };
    {
      using _ = network.partition("near", "far");
      await sendTo(sender, to, new Uint8Array([1]));
    }
    await sendTo(sender, to, new Uint8Array([2]));
    assertEquals([...(await recvFrom(receiver)).bytes], [2]);
  });
});

Deno.test("M6: a receive queue that is full drops datagrams, and the trace says so", async () => {
  await simulate({ seed: 7 }, async (network) => {
    const [sender, receiver] = await sockets(network);
    for (let count = 0; count < 200; count++) {
      await sendTo(sender, receiver.address, new Uint8Array(10_000));
    }
    await sleep(1000);
    let kept = 0;
    const next = () => recvFrom(receiver, { timeout: 1000 }).catch(() => undefined);
    while (await next() !== undefined) kept += 1;
    assert(kept > 5 && kept < 50, `${kept} were kept`);
    assertEquals(network.trace.match(/queue full, dropped/g)?.length, 200 - kept);
  });
});

Deno.test("M6: a target outside of the network is Unreachable, and a name that is not there HostNotFound", async () => {
  await simulate({ seed: 8 }, async (network) => {
    const [sender] = await sockets(network);
    for (const [host, kind] of [["192.0.2.1", "Unreachable"], ["nobody", "HostNotFound"]]) {
      const error = await sendTo(sender, { host, port: 9 }, new Uint8Array(1)).catch((error) =>
        error
      );
      assert(error instanceof SocketError);
      assertEquals(error.kind, kind);
    }
    // Nothing says that nobody is there.
    await sendTo(sender, { host: "far", port: 10 }, new Uint8Array(1));
  });
});
