import type { RuntimeName, Runtimes } from "./_runtimes.ts";

/** The servers among the examples, and the words before the address in their first line. */
const SERVERS = {
  line_server: "lines on",
  resp_server: "RESP on",
  chat_server: "chat on",
} as const;
const LONGEST_TALK_MS = 60_000;

type Party = RuntimeName | "deno";

/** The answers that every client has to hear from every server. */
const EXPECTED = {
  lines: ["1 HELLO", "2 GRÜSSE", "3 error: TooLarge", "4 BYE"],
  resp: [{ status: "OK" }, true, { status: "PONG" }],
  chat: ["* guest joined", "guest: good morning", "* guest left"],
};

/** Lets the servers of each runtime talk to the clients of each runtime. */
export async function talkProblems(
  runtimes: Runtimes,
  names: readonly RuntimeName[],
): Promise<{ tests: number; problems: string[] }> {
  const parties: readonly Party[] = ["deno", ...names];
  const problems: string[] = [];
  let tests = 0;
  for (const server of parties) {
    const servers = await Promise.all(
      Object.entries(SERVERS).map(([name, words]) =>
        ServerProcess.start(runtimes, server, name, words)
      ),
    );
    for (const client of parties) {
      const addresses = servers.map(({ address }) => address);
      const output = await run(command(runtimes, client, "tests/runtimes/talk.ts", addresses));
      const found = output.trimEnd().split("\n").at(-1);
      tests += 1;
      if (found !== JSON.stringify(EXPECTED)) {
        problems.push(`client on ${client}, servers on ${server}: ${output}`);
      }
    }
    for (const one of servers) {
      const end = await one.end();
      if (end !== 0) problems.push(`${one.name} on ${server} ended with ${end} after SIGTERM`);
    }
  }
  return { tests, problems };
}

function command(
  runtimes: Runtimes,
  party: Party,
  program: string,
  args: readonly string[],
): Deno.Command {
  const [path, flags, cwd] = party === "deno"
    ? [Deno.execPath(), ["run", "--quiet", "--no-prompt", "--allow-net"], "."]
    : [runtimes.path(party), [], runtimes.project(party)];
  return new Deno.Command(path, {
    args: [...flags, program, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    signal: AbortSignal.timeout(LONGEST_TALK_MS),
  });
}

async function run(program: Deno.Command): Promise<string> {
  const { stdout, stderr } = await program.output();
  return new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
}

/** An example that serves until it gets a signal. */
class ServerProcess {
  readonly #process: Deno.ChildProcess;
  readonly name: string;
  readonly address: string;

  private constructor(process: Deno.ChildProcess, name: string, address: string) {
    this.#process = process;
    this.name = name;
    this.address = address;
  }

  /** Starts a server, and waits for the line that has its address. */
  static async start(
    runtimes: Runtimes,
    party: Party,
    name: string,
    words: string,
  ): Promise<ServerProcess> {
    const where = name === "chat_server" ? ["127.0.0.1:0"] : ["--port", "0"];
    const child = command(runtimes, party, `examples/${name}.ts`, where).spawn();
    const { promise: address, resolve, reject } = Promise.withResolvers<string>();
    // Its output is read to the end: a server that cannot print fails.
    const collect = async () => {
      let text = "";
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        text += part;
        const found = new RegExp(`${words} (\\S+:\\d+)`).exec(text)?.[1];
        if (found !== undefined) resolve(found);
      }
      const errors = await new Response(child.stderr).text();
      reject(new Error(`${name} on ${party} ended without its first line: ${text}${errors}`));
    };
    void collect();
    return new ServerProcess(child, name, await address);
  }

  /** Ends the server as a user would, and returns its exit code. */
  async end(): Promise<number> {
    this.#process.kill("SIGTERM");
    return (await this.#process.status).code;
  }
}
