import { assertEquals } from "@std/assert";
import { runProgram } from "./support/run_program.ts";

const SETTINGS = [
  { title: "with --unstable-net", flags: ["--unstable-net"] },
  { title: "without unstable features", flags: [] },
];

const MISSING = {
  kind: "PermissionDenied",
  operation: "joinMulticast",
  reason: "a named interface needs --allow-sys=networkInterfaces, which the program does not have",
};

for (const { title, flags } of SETTINGS) {
  Deno.test(`E3: a named interface needs --allow-sys=networkInterfaces, its IPv4 address nothing, ${title}`, async () => {
    const run = async (...more: string[]) =>
      (await runProgram("named_interface.ts", {
        flags: ["--no-prompt", "--allow-net=0.0.0.0:0,[::]:0", ...flags, ...more],
      })).report;
    assertEquals(await run(), {
      address: "joined",
      name: MISSING,
      "IPv6 name": MISSING,
      "IPv6 address": MISSING,
    });
    assertEquals(await run("--allow-sys=networkInterfaces"), {
      address: "joined",
      name: "joined",
      "IPv6 name": "joined",
      "IPv6 address": "joined",
    });
    assertEquals(await run("--allow-sys", "--deny-sys=networkInterfaces"), {
      address: "joined",
      name: MISSING,
      "IPv6 name": MISSING,
      "IPv6 address": MISSING,
    });
  });
}
