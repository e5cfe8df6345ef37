import { assert, assertEquals } from "@std/assert";
import { strace } from "../system/support/strace.ts";
import { faultTest } from "./support/fault_test.ts";
import { ADDRESSES } from "./support/network.ts";

// Both limits are set, because the runtime raises its soft limit to the hard one.
const LIMITED = ["sh", "-c", 'ulimit -S -n 64 && ulimit -H -n 64 && exec "$@"', "sh"];
const CLIENTS = 100;
const FRAME = 1000;

faultTest(
  "V7: ulimit -n 64: a server waits without spinning, then serves everybody",
  async (network) => {
    const traced = await strace("-e", "trace=accept4");
    const server = await network.host("b", { under: [...traced, ...LIMITED], scarce: true });
    const client = await network.host("a");
    const { host, port } = await server.do("serve", { host: ADDRESSES.b[4] });
    const names = Array.from({ length: CLIENTS }, (_, at) => `${at}`);
    // All clients are connected. Those that the server has no descriptor for wait in its backlog.
    for (const as of names) await client.do("connect", { as, host, port });
    const { accepted } = await server.do("served", { active: CLIENTS });
    assert(accepted > 0 && accepted < 64, `${accepted} accepted`);
    // The trace comes through a pipe, after the accept that it shows.
    for (let waits = 0; failures(server.errors) === 0; waits++) {
      assert(waits < 100, "no accept failed");
      await pause(100);
    }
    const before = failures(server.errors);
    await pause(1000);
    const inASecond = failures(server.errors) - before;
    assert(inASecond < 50, `${inASecond} accepts in a second`);

    for (const on of names) {
      const frames = client.do("sendFrames", { on, frames: 1, size: FRAME });
      const { length, end } = await client.do("take", { on, length: 4 + FRAME });
      assertEquals([length, end], [4 + FRAME, undefined]);
      await frames;
      await client.do("close", { on });
    }
    const { accepted: all, errors, active } = await server.do("served", { active: 0 });
    assertEquals({ all, active }, { all: CLIENTS, active: 0 });
    // `onError` got the errors, and the server went on.
    assert(errors.length > 0);
    assert(
      errors.every(({ kind, code, retryable }) =>
        kind === "ResourceExhausted" && code === "EMFILE" && retryable
      ),
    );
    await server.do("shutdown", { timeout: 5000 });
  },
);

faultTest(
  "ulimit -n 64: connect, listen and bindUdp are ResourceExhausted, then work",
  async (network) => {
    for (const flags of [["--unstable-net"], []]) {
      const limited = await network.host("a", { under: LIMITED, flags, scarce: true });
      const server = await network.host("b");
      const { host, port } = await server.do("listen", { as: "it", host: ADDRESSES.b[4] });
      // The first bind opens descriptors that the runtime keeps. It must not fail.
      const at = { host: ADDRESSES.a[4] };
      await limited.do("bindUdp", { as: "first", ...at });
      const names: string[] = [];
      for (let failed = false; !failed;) {
        assert(names.length < 64);
        const as = `${names.length}`;
        failed = await limited.do("connect", { as, host, port }).then(() => false, () => true);
        if (!failed) names.push(as);
      }
      const calls = [["connect", { as: "it", host, port }], ["listen", { as: "it", ...at }], [
        "bindUdp",
        { as: "it", ...at },
      ]] as const;
      for (const [command, values] of calls) {
        const error = await limited.fails("ResourceExhausted", command, values as never);
        assertEquals([error.code, error.retryable], ["EMFILE", true]);
      }
      await limited.do("abort", { on: names.pop()! });
      await limited.do("connect", { as: "again", host, port });
      for (const on of [...names, "again"]) await limited.do("abort", { on });
      await limited.do("closeUdp", { on: "first" });
      await server.do("closeListener", { on: "it" });
    }
  },
);

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function failures(errors: string): number {
  return errors.match(/EMFILE/g)?.length ?? 0;
}
