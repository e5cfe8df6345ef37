import { deadline } from "@std/async";
import { connect as connectTcp, type Connection, recv, recvLine, send } from "../../../mod.ts";
import { abort, connectionOver, formatAddress } from "../../../mod.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { endProcess } from "./ending.ts";

const PATIENCE_MS = 30_000;
const PROGRAM = new URL("../programs/accounting_server.ts", import.meta.url).pathname;

/** The account that `accounting_server.ts` prints at its end. */
export interface Account {
  /** Names of the accepted requests. */
  readonly accepted: readonly string[];
  /** Numbers of the errors that `onError` heard, by kind. */
  readonly errors: Readonly<Record<string, number>>;
  /** Number of calls of the handler, health checks included. */
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
    await deadline(server.#serving.promise, PATIENCE_MS);
    return server;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Ends it with SIGTERM, as an operator does, and gives its account. */
  async end(): Promise<Account> {
    this.#process.kill("SIGTERM");
    const { code } = await deadline(this.#process.status, PATIENCE_MS);
    const output = await this.#output;
    if (code !== 0) throw new Error(`the server ended with ${code}:\n${output}`);
    return JSON.parse(output.trimEnd().split("\n").at(-1)!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#process);
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

/** A complete answer. */
export interface Answer {
  /** Address of the client. */
  readonly from: string;
  /** Address of the client as the PROXY header has it. */
  readonly to: string;
  readonly version: number;
  readonly crc32c: boolean;
  readonly uniqueId: string | undefined;
  readonly pid: number;
}

/** Clients that send one request after the other, all at the same time, until `stop`. */
export class Load {
  readonly answers = new Map<string, Answer>();
  /** Errors of the requests without a complete answer. */
  readonly failures = new Map<string, string>();
  readonly #port: number;
  readonly #workers: Promise<void>[];
  #next = 0;
  #stopped = false;

  constructor(port: number, clients: number) {
    this.#port = port;
    this.#workers = Array.from({ length: clients }, () => this.#work());
  }

  /** Waits until a server has answered `count` further requests. */
  async answered(pid: number, count: number): Promise<void> {
    const has = () => [...this.answers.values()].filter((answer) => answer.pid === pid).length;
    const wanted = has() + count;
    const end = performance.now() + PATIENCE_MS;
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

const ANSWER_BYTES = 40_000;

async function ask(port: number, name: string): Promise<Answer> {
  const options = { timeout: PATIENCE_MS };
  const connection = await connectTcp({ host: "127.0.0.1", port }, options);
  try {
    await send(connection, bytesOf(`${name} ${ANSWER_BYTES}\n`), options);
    const line = await recvLine(connection, options);
    if (line === null) throw new Error("no answer");
    const [to, from, version, crc32c, uniqueId, pid] = line.split(" ");
    if (to !== name) throw new Error(`the answer is for ${to}`);
    const count = await countRest(connection);
    if (count !== ANSWER_BYTES) throw new Error(`${count} bytes of ${ANSWER_BYTES}`);
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
  for (let bytes; (bytes = await recv(connection, { timeout: PATIENCE_MS })) !== null;) {
    count += bytes.length;
  }
  return count;
}

/** Sends a command to the administration socket of HAProxy, and gives the reply. */
export async function commandHAProxy(path: string, command: string): Promise<string> {
  await using connection = connectionOver(await Deno.connect({ transport: "unix", path }));
  await send(connection, bytesOf(`${command}\n`));
  let reply = "";
  for await (const bytes of connection) reply += textOf(bytes);
  return reply.trim();
}
