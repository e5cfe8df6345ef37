import { assert, assertEquals } from "@std/assert";
import {
  abort,
  type Address,
  bindUdp,
  closeListener,
  closeUdp,
  formatAddress,
  listen,
} from "../../mod.ts";
import { type Aims, FUNCTIONS } from "./support/functions.ts";
import { readPublished } from "./support/published_files.ts";
import { runProgram } from "./support/run_program.ts";

interface Report {
  readonly done?: true;
  readonly kind?: string;
  readonly operation?: string;
  readonly message?: string;
  readonly permission?: Deno.NetPermissionDescriptor;
}

/** Denies every permission but net, so that each is refused without a prompt. */
const DENIED = ["read", "write", "env", "run", "ffi", "sys", "import"].map((name) =>
  `--deny-${name}`
);
const NO_PROMPT = "--no-prompt";

const SETTINGS = [
  { title: "with --unstable-net", flags: ["--unstable-net"], unstable: true },
  { title: "without unstable features", flags: [], unstable: false },
];

/** Makes addresses at which every function works. Some belong to this process, the others are free. */
async function withAims<T>(host: string, use: (aims: Aims) => Promise<T>): Promise<T> {
  const free = await freeAddress(host);
  const listener = await listen({ host, port: 0 });
  const socket = await bindUdp({ host, port: 0 });
  const accepting = (async () => {
    for await (const connection of listener) abort(connection);
  })();
  try {
    return await use({
      listen: free,
      bindUdp: free,
      connect: listener.address,
      sendTo: socket.address,
    });
  } finally {
    await closeListener(listener);
    await accepting;
    await closeUdp(socket);
  }
}

/** Finds an address that is free for TCP or UDP. */
async function freeAddress(host: string): Promise<Address> {
  for (;;) {
    const listener = await listen({ host, port: 0 });
    const { address } = listener;
    const socket = await bindUdp(address).catch(() => undefined);
    await closeListener(listener);
    if (socket === undefined) continue;
    await closeUdp(socket);
    return address;
  }
}

function run(
  task: { name: string; host?: string; aims: Aims; revoke: readonly string[] | "all" },
  flags: readonly string[],
): Promise<Report> {
  return runProgram<Report>("one_function.ts", {
    flags: [NO_PROMPT, ...DENIED, ...flags],
    args: [JSON.stringify(task)],
  }).then(({ report }) => report);
}

function checkMissing(report: Report, name: string, host: string): void {
  assertEquals(
    [report.kind, report.operation, report.permission],
    ["PermissionDenied", name, { name: "net", host }],
    report.message,
  );
  assert(report.message!.endsWith(`run again with --allow-net=${host}`), report.message);
}

/** The functions that need the permission for their address, and that address. */
const NEED_ADDRESS: readonly (readonly [name: string, aim: keyof Aims])[] = [
  ["listen", "listen"],
  ["listenTls", "listen"],
  ["bindUdp", "bindUdp"],
  ["connect", "connect"],
  ["connectTls", "connect"],
];

for (const { title, flags } of SETTINGS) {
  for (const host of ["127.0.0.1", "::1"]) {
    for (const [name, aim] of NEED_ADDRESS) {
      Deno.test(`E3: ${name}() on ${host} needs its own address and nothing else, ${title}`, () =>
        withAims(host, async (aims) => {
          const needed = formatAddress(aims[aim]);
          const all = [...flags, `--allow-net=${needed}`];
          assertEquals(await run({ name, aims, revoke: [] }, all), { done: true });
          checkMissing(await run({ name, aims, revoke: [needed] }, all), name, needed);
        }));
    }

    Deno.test(`E3: sendTo() to ${host} needs its target and nothing else, ${title}`, () =>
      withAims(host, async (aims) => {
        const written = host.includes(":") ? `[${host}]` : host;
        const needed = formatAddress(aims.sendTo);
        const all = [...flags, `--allow-net=${written},${needed}`];
        // First only the permission to bind the sender is revoked, then the target's as well.
        const task = { name: "sendTo", host, aims };
        assertEquals(await run({ ...task, revoke: [written] }, all), { done: true });
        checkMissing(await run({ ...task, revoke: [written, needed] }, all), "sendTo", needed);
      }));
  }
}

Deno.test("E3: connect() to a name needs the name as it is written and nothing else", () =>
  withAims("127.0.0.1", async ({ connect: { port }, ...aims }) => {
    const task = { name: "connect", aims: { ...aims, connect: { host: "localhost", port } } };
    const needed = `localhost:${port}`;
    const all = [`--allow-net=${needed}`];
    assertEquals(await run({ ...task, revoke: [] }, all), { done: true });
    checkMissing(await run({ ...task, revoke: [needed] }, all), "connect", needed);
    checkMissing(await run({ ...task, revoke: [] }, ["--allow-net=127.0.0.1"]), "connect", needed);
  }));

Deno.test("E3: sendTo() to a name says in turn which of its permissions is missing", () =>
  withAims("127.0.0.1", async ({ sendTo: { port }, ...aims }) => {
    const task = {
      name: "sendTo",
      host: "127.0.0.1",
      aims: { ...aims, sendTo: { host: "localhost", port } },
    };
    const bound = "127.0.0.1";
    for (const { flags, unstable } of SETTINGS) {
      // The README names these permissions: the name with its port, or the bare name and the address behind it.
      const needed = unstable ? [`localhost:${port}`] : ["localhost", `127.0.0.1:${port}`];
      const all = [...flags, `--allow-net=${[bound, ...needed].join()}`];
      assertEquals(await run({ ...task, revoke: [bound] }, all), { done: true });
      for (const missing of needed) {
        checkMissing(await run({ ...task, revoke: [bound, missing] }, all), "sendTo", missing);
      }
    }
  }));

const NEED_SOMETHING = [...NEED_ADDRESS.map(([name]) => name), "sendTo"];

for (const { title, flags } of SETTINGS) {
  Deno.test(`E3: all other functions need nothing once their handles are there, ${title}`, () =>
    withAims("127.0.0.1", async (aims) => {
      for (const name of Object.keys(FUNCTIONS)) {
        if (NEED_SOMETHING.includes(name)) continue;
        const task = { name, host: "127.0.0.1", aims, revoke: "all" } as const;
        assertEquals(await run(task, [...flags, "--allow-net"]), { done: true }, name);
      }
    }));
}

/** Returns the permissions that a program asked for while it ran, by the runtime's own audit log. */
async function askedFor(program: string, flags: readonly string[]): Promise<string[]> {
  const book = await Deno.makeTempFile();
  try {
    await runProgram(program, {
      flags: [NO_PROMPT, ...DENIED, ...flags],
      args: ["127.0.0.1"],
      env: { DENO_AUDIT_PERMISSIONS: book },
    });
    const lines = (await Deno.readTextFile(book)).split("\n").filter((line) => line !== "");
    return [...new Set(lines.map((line) => JSON.parse(line).permission as string))].sort();
  } finally {
    await Deno.remove(book);
  }
}

for (const { title, flags } of SETTINGS) {
  Deno.test(`E3: no function asks for a permission other than net, ${title}`, async () => {
    assertEquals(await askedFor("all_functions.ts", [...flags, "--allow-net"]), ["net"]);
  });

  Deno.test(`the test above calls every exported function, ${title}`, async () => {
    const { report, errors } = await runProgram<{ names: string[]; called: string[] }>(
      "all_functions.ts",
      { flags: [NO_PROMPT, ...DENIED, ...flags, "--allow-net"], args: ["127.0.0.1"] },
    );
    assertEquals(report.called, report.names);
    assert(!/NotCapable|Requires/.test(errors), errors);
  });
}

Deno.test("the audit log shows each permission that a program asks for, denied or not", async () => {
  // The audit log does not contain programs that are run. The next test checks those.
  const asked = await askedFor("asks_for_everything.ts", ["--allow-net"]);
  assertEquals(asked, ["env", "ffi", "read", "sys", "write"]);
});

Deno.test("no published module can run a program", async () => {
  const { files } = await readPublished();
  const sources = [...files].filter(([path]) => path.endsWith(".ts"));
  assert(sources.length > 20);
  for (const [path, bytes] of sources) {
    const text = new TextDecoder().decode(bytes);
    assert(!/Deno\.(Command|run)\b|child_process/.test(text), path);
  }
});
