/** The question for time servers with an original server, chrony. */
import { assert, assertEquals } from "@std/assert";
import { bindUdp, closeUdp } from "../../mod.ts";
import { Example } from "../system/support/example.ts";
import { needProgram } from "./support/packages.ts";
import { Output } from "./support/redis.ts";
import { endProcess } from "./support/ending.ts";

/** Another program may take a free port before chrony has it. */
const ATTEMPTS = 5;

interface Chrony extends AsyncDisposable {
  readonly port: string;
}

/** Starts a server on a free loopback port that leaves the clock alone. */
async function startChrony(more: string): Promise<Chrony> {
  await needProgram("chronyd", "--version", "chrony");
  for (let attempt = 1;; attempt++) {
    const socket = await bindUdp({ host: "127.0.0.1", port: 0 });
    const { port } = socket.address;
    await closeUdp(socket);
    const folder = await Deno.makeTempDir({ prefix: "chrony-" });
    const lines = [`port ${port}`, "bindaddress 127.0.0.1", "allow 127.0.0.1", "cmdport 0"];
    lines.push("bindcmdaddress /", `pidfile ${folder}/pid`, more, "");
    await Deno.writeTextFile(`${folder}/chrony.conf`, lines.join("\n"));
    const child = new Deno.Command("chronyd", {
      args: ["-d", "-x", "-u", "root", "-f", `${folder}/chrony.conf`],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const log = new Output(child.stderr);
    const stop = async () => {
      await endProcess(child);
      await log.ended;
      await Deno.remove(folder, { recursive: true });
    };
    // It says this after it has opened its sockets.
    if (await log.until("Running with root privileges") && !log.text.includes("Could not")) {
      return { port: `${port}`, [Symbol.asyncDispose]: stop };
    }
    await stop();
    if (attempt === ATTEMPTS) throw new Error(`chronyd ended at once:\n${log.text}`);
  }
}

for (const flags of [["--unstable-net"], []]) {
  Deno.test(`ntp_query.ts asks chrony, ${flags}`, async () => {
    await using chrony = await startChrony("local stratum 8");
    const all = ["--allow-net", ...flags];
    await using query = Example.startWith(all, "ntp_query", "127.0.0.1", "--port", chrony.port);
    assertEquals(await query.end(), 0, await query.errors());
    const found = /^offset ([+-]\d+\.\d{6}) s, delay (-?\d+\.\d{6}) s, stratum 8\n$/.exec(
      query.output,
    );
    assert(found !== null, query.output);
    // Both have the same clock. Half of the time on the way is the largest error that there can be.
    const [offset, delay] = found.slice(1).map(Number);
    assert(Math.abs(offset) <= Math.abs(delay) / 2 + 0.01, query.output);
  });
}

Deno.test("ntp_query.ts says that chrony has no time itself", async () => {
  await using chrony = await startChrony("");
  await using query = Example.start("ntp_query", "127.0.0.1", "--port", chrony.port);
  assertEquals(await query.end(), 1);
  assertEquals(await query.errors(), "127.0.0.1: the server has no time itself\n");
});
