import { deadline } from "@std/async";
import { connect as connectTcp, type Connection, recv, recvLine, send } from "../../../mod.ts";
import { abort, connectionOver, formatAddress } from "../../../mod.ts";
import { bytesOf, textOf } from "../../support/text.ts";

const PATIENCE = 30_000;
const PROGRAM = new URL("../programs/accounting_server.ts", import.meta.url).pathname;

/** What a server of `accounting_server.ts` tells at its end. */
export interface Account {
  /** The names of the requests that it has accepted. */
  readonly accepted: readonly string[];
  /** What `onError` heard of, and how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** How many connections its handler had, health checks among them. */
  readonly clients: number;
  readonly refused: number;
  readonly drained: number;
  readonly aborted: number;
}

/** A server in a process of its own. */
export class AccountingServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<string>;
  readonly #serving = Promise.withResolvers<void>();

  private constructor(port: number) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", PROGRAM, `${port}`],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    this.#output = this.#collect();
  }

  /** Starts it, and waits until it serves. */
  static async start(port: number): Promise<AccountingServer> {
    const server = new AccountingServer(port);
    await deadline(server.#serving.promise, PATIENCE);
    return server;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Ends it as an operator does, and gives its account. */
  async end(): Promise<Account> {
    this.#process.kill("SIGTERM");
    const { code } = await deadline(this.#process.status, PATIENCE);
    const output = await this.#output;
    if (code !== 0) throw new Error(`the server ended with ${code}:\n${output}`);
    return JSON.parse(output.trimEnd().split("\n").at(-1)!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#process.status;
    await this.#output;
  }

  async #collect(): Promise<string> {
    let output = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      output += text;
      this.#serving.resolve();
    }
    this.#serving.reject(new Error(`the server ended:\n${output}`));
    this.#serving.promise.catch(() => {});
    return output;
  }
}

/** An answer that came whole. */
export interface Answer {
  /** Where its client was. */
  readonly from: string;
  /** Where the server was told that the client was, and what else it was told. */
  readonly to: string;
  readonly version: number;
  readonly crc32c: boolean;
  readonly uniqueId: string | undefined;
  readonly pid: number;
}

/** Clients that ask, one after the other and many at a time, until they are told to stop. */
export class Load {
  readonly answers = new Map<string, Answer>();
  /** Requests without a whole answer, and what came instead. */
  readonly failures = new Map<string, string>();
  readonly #port: number;
  readonly #workers: Promise<void>[];
  #next = 0;
  #stopped = false;

  constructor(port: number, clients: number) {
    this.#port = port;
    this.#workers = Array.from({ length: clients }, () => this.#work());
  }

  /** Waits until a server has answered so many of its requests from now on. */
  async answered(pid: number, count: number): Promise<void> {
    const has = () => [...this.answers.values()].filter((answer) => answer.pid === pid).length;
    const wanted = has() + count;
    const end = performance.now() + PATIENCE;
    while (has() < wanted) {
      if (performance.now() > end) throw new Error(`process ${pid} answers no more requests`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      const name = `request-${this.#next++}`;
      try {
        this.answers.set(name, await ask(this.#port, name));
      } catch (error) {
        this.failures.set(name, `${error}`);
      }
    }
  }
}

const LENGTH = 40_000;

async function ask(port: number, name: string): Promise<Answer> {
  const options = { timeout: PATIENCE };
  const connection = await connectTcp({ host: "127.0.0.1", port }, options);
  try {
    await send(connection, bytesOf(`${name} ${LENGTH}\n`), options);
    const line = await recvLine(connection, options);
    if (line === null) throw new Error("no answer");
    const [to, from, version, crc32c, uniqueId, pid] = line.split(" ");
    if (to !== name) throw new Error(`the answer is for ${to}`);
    const count = await countRest(connection);
    if (count !== LENGTH) throw new Error(`${count} bytes of ${LENGTH}`);
    return {
      from: formatAddress(connection.localAddress),
      to: from,
      version: Number(version),
      crc32c: crc32c === "crc32c",
      uniqueId: uniqueId === "-" ? undefined : uniqueId,
      pid: Number(pid),
    };
  } finally {
    abort(connection);
  }
}

async function countRest(connection: Connection): Promise<number> {
  let count = 0;
  for (let bytes; (bytes = await recv(connection, { timeout: PATIENCE })) !== null;) {
    count += bytes.length;
  }
  return count;
}

/** Tells HAProxy something through its administration socket, and gives what it says. */
export async function tellHAProxy(path: string, command: string): Promise<string> {
  await using connection = connectionOver(await Deno.connect({ transport: "unix", path }));
  await send(connection, bytesOf(`${command}\n`));
  let said = "";
  for await (const bytes of connection) said += textOf(bytes);
  return said.trim();
}
