import { assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

type Report = Record<string, { kind: string; message: string; permission: unknown }>;

const MISSING = "net access is missing, run again with";
const DENIED = "net access is denied by --deny-net, which wins over";

const CASES = [
  { flags: [], host: "127.0.0.1", says: `${MISSING} --allow-net=127.0.0.1:9` },
  {
    flags: ["--allow-net=127.0.0.1:8"],
    host: "127.0.0.1",
    says: `${MISSING} --allow-net=127.0.0.1:9`,
  },
  { flags: ["--allow-net=127.0.0.1:8"], host: "::1", says: `${MISSING} --allow-net=[::1]:9` },
  { flags: ["--deny-net"], host: "127.0.0.1", says: `${DENIED} --allow-net=127.0.0.1:9` },
  { flags: ["--deny-net"], host: "::1", says: `${DENIED} --allow-net=[::1]:9` },
  {
    flags: ["--allow-net", "--deny-net=127.0.0.1"],
    host: "127.0.0.1",
    says: `${DENIED} --allow-net=127.0.0.1:9`,
  },
  {
    flags: ["--allow-net", "--deny-net=[::1]:9"],
    host: "::1",
    says: `${DENIED} --allow-net=[::1]:9`,
  },
];

for (const { flags, host, says } of CASES) {
  Deno.test(`E3: under "${flags.join(" ")}", for ${host}: ${says}`, async () => {
    const { report } = await runProgram<Report>("connect_and_listen.ts", {
      flags: ["--no-prompt", ...flags],
      args: [host],
    });
    const address = host.includes(":") ? `[${host}]:9` : `${host}:9`;
    for (const name of ["connect", "listen"]) {
      assertEquals(report[name], {
        kind: "PermissionDenied",
        message: `${name} ${address}: ${says}`,
        permission: { name: "net", host: address },
      });
    }
  });
}

for (const flags of [[], ["--unstable-net"]]) {
  const title = `${["--allow-net=127.0.0.1:9", ...flags].join(" ")}`;
  Deno.test(`E3: under "${title}" the permission for a host with a zone names the host without it`, async () => {
    const { report } = await runProgram<Report>("connect_and_listen.ts", {
      flags: ["--no-prompt", "--allow-net=127.0.0.1:9", ...flags],
      args: ["fe80::1%lo"],
    });
    for (const name of ["connect", "listen", "bindUdp"]) {
      assertEquals(report[name], {
        kind: "PermissionDenied",
        message: `${name} [fe80::1%lo]:9: ${MISSING} --allow-net=[fe80::1]:9`,
        permission: { name: "net", host: "[fe80::1]:9" },
      });
    }
  });
}

Deno.test("X2: a link whose retry only adds to the default ends at the first missing permission", async () => {
  const { report } = await runProgram("link_without_permission.ts", { flags: ["--no-prompt"] });
  assertEquals(report, { attempts: 1, kinds: ["PermissionDenied", "PermissionDenied"] });
});
