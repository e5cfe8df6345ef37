import { assertEquals } from "@std/assert";
import { SocketFolder } from "../support/unix_sockets.ts";
import { runProgram } from "./support/run_program.ts";

interface Failure {
  readonly kind: string;
  readonly message: string;
  readonly permission?: unknown;
  readonly state?: string;
}

type Report = Record<"connect" | "listen", "done" | Failure>;

/** Flags, what the messages say, and the permission that the errors name; `P` stands for the path. */
const CASES:
  readonly (readonly [flags: string[], says: string, permission: object, state: string])[] = [
    [
      [],
      "read, write and net access is missing, run again with --allow-read=P --allow-write=P --allow-net=unix:P",
      { name: "read", path: "P" },
      "prompt",
    ],
    [
      ["--allow-read=P"],
      "write and net access is missing, run again with --allow-write=P --allow-net=unix:P",
      { name: "write", path: "P" },
      "prompt",
    ],
    [
      ["--allow-read", "--allow-write=D", "--allow-net=127.0.0.1"],
      "net access is missing, run again with --allow-net=unix:P",
      { name: "net", host: "unix:P" },
      "prompt",
    ],
    [
      ["--allow-write", "--allow-net"],
      "read access is missing, run again with --allow-read=P",
      { name: "read", path: "P" },
      "prompt",
    ],
    [
      ["--allow-read", "--allow-write", "--allow-net", "--deny-net=unix:P"],
      "net access is denied by --deny-net, which wins over --allow-net=unix:P",
      { name: "net", host: "unix:P" },
      "denied",
    ],
    [
      ["--allow-read", "--allow-write", "--deny-write=P", "--allow-net"],
      "write access is denied by --deny-write, which wins over --allow-write=P",
      { name: "write", path: "P" },
      "denied",
    ],
  ];

for (const [flags, says, permission, state] of CASES) {
  Deno.test(`E3: for a Unix socket under "${flags.join(" ")}": ${says}`, async () => {
    await using folder = await SocketFolder.make();
    const { path } = folder.next();
    const filled = (text: string) => text.replace(/\bP\b/g, path).replace(/\bD\b/, folder.path);
    const { report } = await runProgram<Report>("unix_socket.ts", {
      flags: ["--no-prompt", ...flags.map(filled)],
      args: [path],
    });
    for (const name of ["connect", "listen"] as const) {
      assertEquals(report[name], {
        kind: "PermissionDenied",
        message: `${name} unix:${path}: ${filled(says)}`,
        permission: JSON.parse(filled(JSON.stringify(permission))),
        state,
      });
    }
  });
}

for (const name of ["it.sock", "a b.sock", "a,b.sock", "é.sock"]) {
  Deno.test(`E3: granting what the error names is enough for ${name}`, async () => {
    await using folder = await SocketFolder.make();
    const path = `${folder.path}/${name}`;
    const run = async (flags: readonly string[]) =>
      (await runProgram<Report>("unix_socket.ts", {
        flags: ["--no-prompt", ...flags],
        args: [path],
      })).report;
    const denied = (await run([])).listen as Failure;
    const flags = denied.message.slice(denied.message.indexOf("--allow-read")).split(/ (?=--)/);
    assertEquals(flags.length, 3);
    const granted = await run(flags);
    // Nobody listens when the program connects alone.
    assertEquals((granted.connect as Failure).kind, "ConnectionRefused");
    assertEquals(granted.listen, "done");
    assertEquals(await folder.names(), []);
  });
}

Deno.test("E3: an abstract name needs all of the net, and nothing else", async () => {
  const name = `sockets-${crypto.randomUUID()}`;
  const run = async (flags: readonly string[]) =>
    (await runProgram<Report>("unix_socket.ts", {
      flags: ["--no-prompt", ...flags],
      args: [`@${name}`],
    })).report;
  for (const flags of [[], ["--allow-net=127.0.0.1"], ["--allow-read", "--allow-write"]]) {
    assertEquals((await run(flags)).listen, {
      kind: "PermissionDenied",
      message: `listen unix:@${name}: net access is missing, run again with --allow-net`,
      permission: { name: "net" },
      state: "prompt",
    });
  }
  assertEquals((await run(["--allow-net"])).listen, "done");
});

Deno.test("E3: the path of a relative address is named from the root for the net", async () => {
  const { report } = await runProgram<Report>("unix_socket.ts", {
    flags: ["--no-prompt", "--allow-read", "--allow-write"],
    args: ["no-such-directory/it.sock"],
  });
  assertEquals((report.listen as Failure).permission, {
    name: "net",
    host: `unix:${Deno.cwd()}/no-such-directory/it.sock`,
  });
});
