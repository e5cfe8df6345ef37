import { delay } from "@std/async";
import { needProgram } from "./packages.ts";
import { endProcess } from "./ending.ts";

/** Another program may take a free port before HAProxy has it. */
const ATTEMPTS = 5;
const READY_TRIES = 200;
const READY_PAUSE_MS = 50;

/** A HAProxy that runs until it is disposed of. */
export interface HAProxy extends AsyncDisposable {
  /** Such as `2.6.12`. */
  readonly version: string;
  /** Its ports, by name. */
  readonly ports: Readonly<Record<string, number>>;
  /** A folder that its disposal removes. */
  readonly folder: string;
}

/** Ports and a folder for a configuration. */
export interface Places {
  readonly ports: Readonly<Record<string, number>>;
  readonly folder: string;
}

/** A configuration in a file that exists. */
export interface ConfigurationFile {
  readonly file: string;
  /** Values of the environment variables that the file uses. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Starts HAProxy on free loopback ports, and waits until it accepts.
 *
 * @param names Names of its ports.
 * @param configure Writes the part behind the global section, or gives the file that has it.
 */
export async function startHAProxy(
  names: readonly string[],
  configure: (
    places: Places,
  ) => string | Promise<string> | ConfigurationFile | Promise<ConfigurationFile>,
): Promise<HAProxy> {
  const version = /version (\S+?)[-\s]/.exec(await needProgram("haproxy", "-v"))?.[1] ?? "unknown";
  for (let attempt = 1;; attempt++) {
    const folder = await Deno.makeTempDir({ prefix: "haproxy-" });
    const { ready, ...ports } = freePorts(["ready", ...names]);
    const configuration = await configure({ ports, folder });
    const own = `${folder}/haproxy.cfg`;
    const written = typeof configuration === "string";
    await Deno.writeTextFile(own, preamble(ready) + (written ? configuration : ""));
    const child = written
      ? new Child([own])
      : new Child([own, configuration.file], configuration.env);
    try {
      await child.ready(ready);
      const stop = async () => {
        await child.stop();
        await Deno.remove(folder, { recursive: true });
      };
      return { version, ports, folder, [Symbol.asyncDispose]: stop };
    } catch (error) {
      await child.stop();
      await Deno.remove(folder, { recursive: true });
      if (attempt === ATTEMPTS || !/cannot bind/i.test(String(error))) throw error;
    }
  }
}

/**
 * Writes the global section, and a port that shows that HAProxy is ready: it binds all ports before any accepts, and a
 * probe of another port would reach the server behind it.
 */
function preamble(ready: number): string {
  return `
global
  maxconn 1000
  nbthread 1

frontend ready
  mode tcp
  timeout client 10s
  bind 127.0.0.1:${ready}
  tcp-request connection reject
`;
}

function freePorts(names: readonly string[]): Record<string, number> {
  // All are bound at the same time, so that no port is given twice.
  const listeners = names.map(() => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map(({ addr }) => (addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return Object.fromEntries(names.map((name, index) => [name, ports[index]]));
}

/** A HAProxy process and its output. */
class Child {
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<string>;
  #ended = false;

  constructor(files: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#process = new Deno.Command("haproxy", {
      // In the foreground, so that the process that was started is the one that serves.
      args: ["-db", ...files.flatMap((file) => ["-f", file])],
      env: { ...env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    this.#output = this.#process.stderr.text();
    this.#process.status.then(() => this.#ended = true);
  }

  /** Resolves when the port accepts; rejects with the output if HAProxy has ended. */
  async ready(port: number): Promise<void> {
    for (let tries = 0; tries < READY_TRIES; tries++) {
      if (this.#ended) throw new Error(`haproxy ended at once:\n${await this.#output}`);
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return;
      } catch {
        await delay(READY_PAUSE_MS);
      }
    }
    throw new Error(`haproxy does not accept on port ${port}`);
  }

  async stop(): Promise<void> {
    // This ends it at once, with its connections.
    await endProcess(this.#process, "SIGTERM");
    await this.#output;
  }
}
