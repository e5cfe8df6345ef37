import { assert, assertEquals, assertMatch } from "@std/assert";
import { deadline } from "@std/async";
import {
  abort,
  type Address,
  bindUdp,
  closeListener,
  closeUdp,
  formatAddress,
  listen,
} from "../../mod.ts";
import { runProgram } from "./support/run_program.ts";

interface Failure {
  readonly kind: string;
  readonly operation: string;
  readonly message: string;
  readonly permission: Deno.NetPermissionDescriptor;
}

interface Report {
  /** The error of `requirePermissions`, or null. */
  readonly required: Failure | null;
  /** The error of the functions that were then called, or null. */
  readonly used: Failure | null;
}

type Needed = Partial<Record<"listen" | "connect" | "bindUdp" | "sendTo", Address[]>>;

/** Denies every permission but net, so that each is refused without a prompt. */
const DENIED = ["read", "write", "env", "run", "ffi", "sys", "import"].map((name) =>
  `--deny-${name}`
);
const SETTINGS = [
  { title: "with --unstable-net", flags: ["--unstable-net"], unstable: true },
  { title: "without unstable features", flags: [], unstable: false },
];

async function run(needed: Needed, flags: readonly string[]): Promise<Report> {
  const { report } = await runProgram<Report>("requires_permissions.ts", {
    flags: ["--no-prompt", ...DENIED, ...flags],
    args: [JSON.stringify(needed)],
  });
  return report;
}

/** Returns the hosts of the one flag that the error asks for. */
function grantsOf(failure: Failure | null): string[] {
  assert(failure !== null);
  assertEquals([failure.kind, failure.operation], ["PermissionDenied", "requirePermissions"]);
  const match = /^requirePermissions: net access is missing, run again with --allow-net=(\S+)$/
    .exec(failure.message);
  assert(match !== null, failure.message);
  const grants = match[1].split(",");
  assertEquals(failure.permission, { name: "net", host: grants[0] });
  return grants;
}

/** Calls `use` with addresses at which all functions work. */
async function withAddresses(host: string, use: (needed: Required<Needed>) => Promise<void>) {
  const listener = await listen({ host, port: 0 });
  const socket = await bindUdp({ host, port: 0 });
  const accepting = (async () => {
    for await (const connection of listener) abort(connection);
  })();
  const anywhere = { host, port: 0 };
  try {
    await use({
      listen: [anywhere],
      connect: [listener.address],
      bindUdp: [anywhere],
      sendTo: [socket.address],
    });
  } finally {
    await closeListener(listener);
    await accepting;
    await closeUdp(socket);
  }
}

for (const { title, flags } of SETTINGS) {
  for (const host of ["127.0.0.1", "::1"]) {
    Deno.test(`E3: the one flag that requirePermissions() names is enough and no more, ${host} ${title}`, () =>
      withAddresses(host, async (needed) => {
        const grants = grantsOf((await run(needed, flags)).required);
        const [anywhere] = needed.listen;
        assertEquals(grants, [
          formatAddress(anywhere),
          formatAddress(needed.connect[0]),
          formatAddress(needed.sendTo[0]),
        ]);
        const granted = await run(needed, [...flags, `--allow-net=${grants}`]);
        assertEquals(granted, { required: null, used: null });
        // Each of them is needed, and the error says which one is missing beside the others.
        for (const missing of grants) {
          const others = grants.filter((grant) => grant !== missing);
          const report = await run(needed, [...flags, `--allow-net=${others}`]);
          assertEquals(grantsOf(report.required), [missing]);
          assertEquals(report.used?.permission, { name: "net", host: missing });
        }
      }));
  }

  Deno.test(`E3: requirePermissions() of one function asks for its addresses only, ${title}`, async () => {
    const one = [{ host: "127.0.0.1", port: 9 }];
    for (const name of ["listen", "connect", "bindUdp", "sendTo"] as const) {
      const { required } = await run({ [name]: one }, flags);
      assertEquals(grantsOf(required), ["127.0.0.1:9"], name);
    }
    assertEquals((await run({}, flags)).required, null);
    assertEquals((await run({ listen: [] }, flags)).required, null);
  });
}

Deno.test("E3: a name is asked for as it is written, and once", () =>
  withAddresses("127.0.0.1", async ({ connect: [{ port }], listen }) => {
    const target = { host: "localhost", port };
    const needed = { connect: [target, target], listen };
    const grants = grantsOf((await run(needed, [])).required);
    assertEquals(grants, ["127.0.0.1:0", `localhost:${port}`]);
    assertEquals(await run(needed, [`--allow-net=${grants}`]), { required: null, used: null });
  }));

Deno.test("E3: a name for datagrams needs what sendTo() needs, with both backends", () =>
  withAddresses("127.0.0.1", async ({ sendTo: [{ port }], bindUdp }) => {
    const needed = { bindUdp, sendTo: [{ host: "localhost", port }] };
    for (const { flags, unstable } of SETTINGS) {
      const granted: string[] = [];
      const steps: string[][] = [];
      for (;;) {
        const allow = granted.length === 0 ? [] : [`--allow-net=${granted}`];
        const report = await run(needed, [...flags, ...allow]);
        if (report.required === null) {
          assertEquals(report.used, null);
          break;
        }
        steps.push(grantsOf(report.required));
        granted.push(...steps.at(-1)!);
        assert(steps.length < 4, "it never ends");
      }
      assertEquals(
        steps,
        unstable
          ? [["127.0.0.1:0", `localhost:${port}`]]
          : [["127.0.0.1:0", "localhost"], [`127.0.0.1:${port}`]],
      );
    }
  }));

Deno.test("E3: the flag has an IPv6 address in brackets and without its zone", async () => {
  const connect = [{ host: "fe80::1%lo", port: 9 }, { host: "2001:db8::1", port: 443 }];
  const { required } = await run({ connect }, []);
  assertEquals(grantsOf(required), ["[fe80::1]:9", "[2001:db8::1]:443"]);
});

Deno.test("E3: requirePermissions() says what --deny-net has denied, beside what is missing", async () => {
  const connect = ["a.example", "b.example"].map((host) => ({ host, port: 1 }));
  const DENY = "net access is denied by --deny-net, which wins over --allow-net=";
  const MISSING = "net access is missing, run again with --allow-net=";
  const cases: [flags: string[], says: string][] = [
    [["--deny-net"], `${DENY}a.example:1,b.example:1`],
    [["--allow-net", "--deny-net=b.example"], `${DENY}b.example:1`],
    [["--deny-net=b.example:1"], `${MISSING}a.example:1; ${DENY}b.example:1`],
    [["--allow-net=a.example"], `${MISSING}b.example:1`],
  ];
  for (const [flags, says] of cases) {
    const { required } = await run({ connect }, flags);
    assertEquals(required?.message, `requirePermissions: ${says}`, flags.join(" "));
  }
});

/** Time after which an answer is typed again: the runtime drops what is typed while it begins to ask. */
const RETYPE_MS = 200;

/** Runs the program at a terminal, and gives each prompt the same answer. Returns all that the terminal shows. */
async function runAtTerminal(needed: Needed, answer: "y" | "n"): Promise<string> {
  const program = new URL("programs/requires_permissions.ts", import.meta.url).pathname;
  const command = `${Deno.execPath()} run --quiet ${program} '${JSON.stringify(needed)}'`;
  const process = new Deno.Command("script", {
    args: ["--quiet", "--return", "--command", command, "/dev/null"],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = process.stdin.getWriter();
  const typing = setInterval(() => {
    writer.write(new TextEncoder().encode(`${answer}\n`)).catch(() => {});
  }, RETYPE_MS);
  try {
    return await deadline(new Response(process.stdout).text(), 60_000);
  } finally {
    clearInterval(typing);
    await writer.close().catch(() => {});
    await process.status;
  }
}

/** Returns the hosts for which the terminal shows a prompt. */
function promptsOf(shown: string): Set<string> {
  return new Set([...shown.matchAll(/requests net access to "([^"]+)"/g)].map(([, host]) => host));
}

Deno.test("E3: at a terminal requirePermissions() prompts for each missing permission", () =>
  withAddresses("127.0.0.1", async ({ connect, listen }) => {
    const shown = await runAtTerminal({ connect, listen }, "y");
    assertMatch(shown, /\{"required":null,"used":null\}/);
    assertEquals(promptsOf(shown), new Set(["127.0.0.1:0", formatAddress(connect[0])]));
  }));

Deno.test("E3: at a terminal a refusal ends the prompts, and the error names all that is missing", async () => {
  const connect = ["a.example", "b.example"].map((host) => ({ host, port: 1 }));
  const shown = await runAtTerminal({ connect }, "n");
  assertMatch(shown, /"required":\{[^}]*run again with --allow-net=a\.example:1,b\.example:1"/);
  assertEquals(promptsOf(shown), new Set(["a.example:1"]));
});

Deno.test("E3: requirePermissions() names the flags of Unix sockets beside those of hosts", async () => {
  const path = "/run/not-there/app.sock";
  const needed = {
    listen: [{ path }, { host: "127.0.0.1", port: 8080 }],
    connect: [{ path: "/run/not-there/db.sock" }, { path }],
  };
  const { report } = await runProgram<Report>("requires_permissions.ts", {
    flags: ["--no-prompt"],
    args: [JSON.stringify(needed)],
  });
  const both = `${path},/run/not-there/db.sock`;
  const nets = `unix:${path},127.0.0.1:8080,unix:/run/not-there/db.sock`;
  assertEquals(
    report.required?.message,
    "requirePermissions: read, write and net access is missing, run again with " +
      `--allow-read=${both} --allow-write=${both} --allow-net=${nets}`,
  );
});
