/** Runs the cluster example. Each of its processes reports to the test, which so notices one that is left behind. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  abort,
  accept,
  close,
  connect,
  type Connection,
  listen,
  type Listener,
  recv,
  recvLine,
  send,
} from "../../mod.ts";
import { bytesOf } from "../support/text.ts";
import { Example } from "./support/example.ts";

const WAIT = { timeout: 15_000 };

/** Returns a program that reports, serves on request and drains for `drain` ms. It ends if the test is gone. */
function program(version: string, drain = 0): string {
  return `
    const report = await Deno.connect({ hostname: "127.0.0.1", port: Number(Deno.args[0]) });
    Deno.addSignalListener("SIGTERM", () => setTimeout(() => Deno.exit(0), ${drain}));
    await report.write(new TextEncoder().encode("${version} " + Deno.pid + "\\n"));
    while (await report.read(new Uint8Array(1)) !== null) console.log("serving");
    Deno.exit(1);
  `;
}

interface Worker {
  readonly report: Connection;
  readonly version: string;
  readonly process: number;
}

/** A cluster of two processes, and their reports. */
class Reports implements AsyncDisposable {
  readonly cluster: Example;
  readonly #listener: Listener;
  readonly #folder: string;
  readonly #workers: Worker[] = [];

  private constructor(listener: Listener, folder: string) {
    this.#listener = listener;
    this.#folder = folder;
    const args = ["2", `${folder}/worker.ts`, `${listener.address.port}`];
    this.cluster = Example.startWith(["--allow-run"], "cluster", ...args);
  }

  static async start(source: string): Promise<Reports> {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(`${folder}/worker.ts`, source);
    return new Reports(await listen({ host: "127.0.0.1", port: 0 }), folder);
  }

  async change(source: string): Promise<void> {
    await Deno.writeTextFile(`${this.#folder}/worker.ts`, source);
  }

  /** Waits for the next process that reports. */
  async next(version: string): Promise<Worker> {
    const report = await accept(this.#listener, WAIT);
    const [found, process] = (await recvLine(report, WAIT))!.split(" ");
    const worker = { report, version: found, process: Number(process) };
    this.#workers.push(worker);
    assertEquals(found, version);
    return worker;
  }

  /** Waits for the next process, and makes it serve. */
  async nextServing(version: string): Promise<Worker> {
    const worker = await this.next(version);
    await serveOn(worker);
    return worker;
  }

  /** Waits until the cluster and all its processes have ended, and checks that no other process was started. */
  async end(): Promise<void> {
    // The processes come first, because one that is left behind would keep the output of the cluster open.
    for (const worker of this.#workers) await over(worker);
    assertEquals(await this.cluster.end(), 0);
    const last = await connect(this.#listener.address);
    const accepted = await accept(this.#listener, WAIT);
    assertEquals(accepted.remoteAddress, last.localAddress, "another process was started");
    await Promise.all([close(last), close(accepted)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { report } of this.#workers) abort(report);
    await this.#listener[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function serveOn({ report }: Worker): Promise<void> {
  await send(report, bytesOf("."));
}

async function over({ report }: Worker): Promise<void> {
  assertEquals(await recv(report, WAIT), null);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`cluster: ${signal} while the processes start ends them all`, async () => {
    await using reports = await Reports.start(program("v1"));
    await reports.next("v1");
    await reports.next("v1");
    reports.cluster.signal(signal);
    await reports.end();
  });

  Deno.test(`cluster: ${signal} to it alone ends all processes that serve`, async () => {
    await using reports = await Reports.start(program("v1"));
    await reports.nextServing("v1");
    await reports.nextServing("v1");
    await reports.cluster.until(/serving\nserving\n/);
    reports.cluster.signal(signal);
    await reports.end();
  });
}

Deno.test("cluster: after SIGTERM, no process replaces one that was lost", async () => {
  // This is longer than the second after which a lost process is replaced.
  await using reports = await Reports.start(program("v1", 2000));
  const lost = await reports.nextServing("v1");
  await reports.nextServing("v1");
  await reports.cluster.until(/serving\nserving\n/);
  Deno.kill(lost.process, "SIGKILL");
  await over(lost);
  reports.cluster.signal("SIGTERM");
  await reports.end();
});

Deno.test("cluster: after SIGHUP with a program that cannot serve, the old processes stay until the next SIGHUP", async () => {
  await using reports = await Reports.start(program("v1"));
  const old = [await reports.nextServing("v1"), await reports.nextServing("v1")];
  await reports.cluster.until(/serving\nserving\n/);
  await reports.change(`${program("v2").split("while")[0]} throw new Error("broken");`);
  reports.cluster.signal("SIGHUP");
  await over(await reports.next("v2"));

  await reports.change(program("v3"));
  reports.cluster.signal("SIGHUP");
  const first = await reports.next("v3");
  // The old processes stay until the new one serves.
  await serveOn(old[0]);
  await serveOn(old[1]);
  await reports.cluster.until(/(?:serving\n){4}/);
  await serveOn(first);
  await reports.nextServing("v3");
  await Promise.all(old.map(over));
  reports.cluster.signal("SIGTERM");
  await reports.end();
  assertStringIncludes(await reports.cluster.errors(), "ended before it served");
});

Deno.test("cluster: prints its usage if the number or the program is missing", async () => {
  for (const args of [[], ["2"], ["x", "server.ts"], ["-1", "server.ts"]]) {
    await using cluster = Example.startWith(["--allow-run"], "cluster", ...args);
    assertEquals(await cluster.end(), 2);
    assertStringIncludes(await cluster.errors(), "usage: cluster.ts PROCESSES PROGRAM");
  }
});
