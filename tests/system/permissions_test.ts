import { assert, assertEquals } from "@std/assert";
import { bindUdp, closeListener, closeUdp, listen } from "../../mod.ts";
import { runProgram } from "./support/run_program.ts";

interface Report {
  readonly done?: true;
  readonly operation?: string;
  readonly message?: string;
  readonly permission?: Deno.NetPermissionDescriptor;
  readonly state?: Deno.PermissionState;
}

/** Finds a port that is free for TCP and for UDP. */
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

/** Grants what each run reports as missing until a run succeeds. It returns the failed operations and the grants. */
async function grantUntilDone(
  flags: readonly string[],
  args: readonly string[],
): Promise<{ operations: string[]; granted: string[] }> {
  const granted: string[] = [];
  const operations: string[] = [];
  for (;;) {
    const net = granted.length === 0 ? [] : [`--allow-net=${granted.join(",")}`];
    const { report } = await runProgram<Report>("every_function.ts", {
      flags: ["--no-prompt", ...flags, ...net],
      args,
    });
    if (report.done) return { operations, granted };
    const host = report.permission?.host;
    assert(host !== undefined && !granted.includes(host), `${report.message} does not help`);
    assertEquals(report.permission, { name: "net", host });
    assertEquals(report.state, "prompt");
    assert(report.message!.endsWith(`run again with --allow-net=${host}`), report.message);
    granted.push(host);
    operations.push(report.operation!);
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
      // The address is used for TCP and UDP. Port 0 is a permission of its own.
      assertEquals(granted, [`${written}:${port}`, `${written}:0`]);
      assertEquals(operations, ["listen", "bindUdp"]);
    });
  }
}

Deno.test("E3: sending to a name needs the name as it is written, with --unstable-net", async () => {
  const port = await freePort("127.0.0.1");
  const args = ["127.0.0.1", `${port}`, "localhost"];
  const { operations, granted } = await grantUntilDone(["--unstable-net"], args);
  assertEquals(granted, [`127.0.0.1:${port}`, `localhost:${port}`, "127.0.0.1:0"]);
  assertEquals(operations, ["listen", "sendTo", "bindUdp"]);
});

Deno.test("E3: sending to a name needs the bare name, without unstable features", async () => {
  const port = await freePort("127.0.0.1");
  const { operations, granted } = await grantUntilDone([], ["127.0.0.1", `${port}`, "localhost"]);
  assertEquals(granted, [`127.0.0.1:${port}`, "localhost", "127.0.0.1:0"]);
  assertEquals(operations, ["listen", "sendTo", "bindUdp"]);
});

Deno.test("E3: if --deny-net denies the address behind a name, the message names the address", async () => {
  const port = await freePort("127.0.0.1");
  const { report } = await runProgram<Report>("every_function.ts", {
    flags: ["--no-prompt", "--allow-net", `--deny-net=127.0.0.1:${port}`],
    args: ["localhost", `${port}`],
  });
  assertEquals(report.permission, { name: "net", host: `127.0.0.1:${port}` });
  assertEquals(report.state, "denied");
  assert(report.message!.includes("denied by --deny-net"), report.message);
});
