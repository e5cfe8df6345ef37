import { assert, assertEquals } from "@std/assert";
import { bindUdp, closeListener, closeUdp, listen } from "../../mod.ts";
import { runProgram } from "./support/run_program.ts";

interface Told {
  readonly done?: true;
  readonly operation?: string;
  readonly message?: string;
  readonly permission?: Deno.NetPermissionDescriptor;
  readonly state?: Deno.PermissionState;
}

/** A port that is free for TCP and for UDP. */
async function freePort(host: string): Promise<number> {
  for (;;) {
    const listener = await listen({ host, port: 0 });
    const { port } = listener.address;
    const socket = await bindUdp({ host, port }).catch(() => undefined);
    await closeListener(listener);
    if (socket === undefined) continue;
    await closeUdp(socket);
    return port;
  }
}

/** Grants what each run says is missing until one works: who said so, and what it took. */
async function grantUntilDone(
  flags: readonly string[],
  args: readonly string[],
): Promise<{ operations: string[]; granted: string[] }> {
  const granted: string[] = [];
  const operations: string[] = [];
  for (;;) {
    const net = granted.length === 0 ? [] : [`--allow-net=${granted.join(",")}`];
    const { told } = await runProgram<Told>("every_function.ts", {
      flags: ["--no-prompt", ...flags, ...net],
      args,
    });
    if (told.done) return { operations, granted };
    const host = told.permission?.host;
    assert(host !== undefined && !granted.includes(host), `${told.message} does not help`);
    assertEquals(told.permission, { name: "net", host });
    assertEquals(told.state, "prompt");
    assert(told.message!.endsWith(`run again with --allow-net=${host}`), told.message);
    granted.push(host);
    operations.push(told.operation!);
  }
}

const SETTINGS = [
  { title: "with --unstable-net", flags: ["--unstable-net"] },
  { title: "without unstable features", flags: [] },
];

for (const { title, flags } of SETTINGS) {
  for (const host of ["127.0.0.1", "::1"]) {
    Deno.test(`E3: granting what the errors name is enough on ${host} ${title}`, async () => {
      const port = await freePort(host);
      const { operations, granted } = await grantUntilDone(flags, [host, `${port}`]);
      const written = host.includes(":") ? `[${host}]` : host;
      // The address itself serves TCP and UDP alike; port 0 is a permission of its own.
      assertEquals(granted, [`${written}:${port}`, `${written}:0`]);
      assertEquals(operations, ["listen", "bindUdp"]);
    });
  }
}

Deno.test("E3: sending to a name takes the name as it is written, with --unstable-net", async () => {
  const port = await freePort("127.0.0.1");
  const args = ["127.0.0.1", `${port}`, "localhost"];
  const { operations, granted } = await grantUntilDone(["--unstable-net"], args);
  assertEquals(granted, [`127.0.0.1:${port}`, `localhost:${port}`, "127.0.0.1:0"]);
  assertEquals(operations, ["listen", "sendTo", "bindUdp"]);
});

Deno.test("E3: sending to a name takes the bare name without unstable features", async () => {
  const port = await freePort("127.0.0.1");
  const { operations, granted } = await grantUntilDone([], ["127.0.0.1", `${port}`, "localhost"]);
  assertEquals(granted, [`127.0.0.1:${port}`, "localhost", "127.0.0.1:0"]);
  assertEquals(operations, ["listen", "sendTo", "bindUdp"]);
});

Deno.test("E3: what --deny-net takes away from a name is said of the address behind it", async () => {
  const port = await freePort("127.0.0.1");
  const { told } = await runProgram<Told>("every_function.ts", {
    flags: ["--no-prompt", "--allow-net", `--deny-net=127.0.0.1:${port}`],
    args: ["localhost", `${port}`],
  });
  assertEquals(told.permission, { name: "net", host: `127.0.0.1:${port}` });
  assertEquals(told.state, "denied");
  assert(told.message!.includes("denied by --deny-net"), told.message);
});
