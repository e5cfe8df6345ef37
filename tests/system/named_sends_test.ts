import { assertEquals } from "@std/assert";
import { bindUdp, recvFrom } from "../../mod.ts";
import { soon } from "../support/socket_errors.ts";
import { runProgram } from "./support/run_program.ts";

const COUNT = 20;

/** Permissions that select who resolves the name: this package, or only the runtime. */
const GRANTS: readonly { flags: readonly string[]; grants: (port: number) => string }[] = [
  { flags: [], grants: () => "localhost,127.0.0.1" },
  { flags: ["--unstable-net"], grants: () => "localhost,127.0.0.1" },
  { flags: ["--unstable-net"], grants: () => "localhost,127.0.0.1:0" },
  { flags: ["--unstable-net"], grants: (port) => `localhost:${port},127.0.0.1:0` },
];

for (const { flags, grants } of GRANTS) {
  const title = [...flags, `--allow-net=${grants(9)}`].join(" ");
  Deno.test(`U7, U8: datagrams to a name leave in order before closeUdp(), under ${title}`, async () => {
    await using receiver = await bindUdp({ host: "127.0.0.1", port: 0 });
    const { port } = receiver.address;
    const { report } = await runProgram("named_sends.ts", {
      flags: ["--no-prompt", `--allow-net=${grants(port)}`, ...flags],
      args: ["localhost", `${port}`, `${COUNT}`],
    });
    assertEquals(report, "closed");
    for (let number = 0; number < COUNT; number++) {
      assertEquals((await soon(recvFrom(receiver))).bytes[0], number);
    }
  });
}
