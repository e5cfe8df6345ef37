import { deadline } from "@std/async";
import { must, needPackage } from "./packages.ts";
import { freePort, Output } from "./redis.ts";
import { talk } from "./talk.ts";
import { endProcess } from "./ending.ts";

/** Another program may take a free port before Mosquitto has it. */
const ATTEMPTS = 5;
const PATIENCE_MS = 60_000;
/**
 * By default it drops messages for a client with 1,000 that wait. With Nagle's algorithm an answer is 40 ms late if
 * another packet came before.
 */
const CONFIGURATION = `
persistence false
max_queued_messages 0
set_tcp_nodelay true
log_dest stderr
log_type error
log_type notice
log_type information
log_type subscribe
`;

/** A mosquitto broker that runs until it is disposed of, and stores no messages on disk. */
export interface Mosquitto extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly log: Output;
  signal(signal: Deno.Signal): void;
}

/** A mosquitto_sub that has subscribed. Its disposal ends it. */
export interface Subscriber extends AsyncDisposable {
  /** Resolves to its output after it has received as many messages as it was started for. */
  readonly output: Promise<string>;
}

/**
 * Starts a broker on a free loopback port, and waits until it accepts.
 *
 * @param users Passwords by name: only these users may connect. Without it all may.
 */
export async function startMosquitto(users?: Readonly<Record<string, string>>): Promise<Mosquitto> {
  await needPrograms();
  for (let attempt = 1;; attempt++) {
    const host = "127.0.0.1";
    const port = freePort(host);
    const folder = await Deno.makeTempDir({ prefix: "mosquitto-" });
    const file = `${folder}/mosquitto.conf`;
    const rules = await writeRules(folder, users);
    await Deno.writeTextFile(file, `listener ${port} ${host}\n${rules}${CONFIGURATION}`);
    const child = new Deno.Command("mosquitto", {
      args: ["-c", file],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const log = new Output(child.stderr);
    const stop = async () => {
      // This ends it even if a test has stopped it.
      await endProcess(child);
      await log.ended;
      await Deno.remove(folder, { recursive: true });
    };
    if (await log.until(" running")) {
      const signal = (name: Deno.Signal) => child.kill(name);
      return { host, port, log, signal, [Symbol.asyncDispose]: stop };
    }
    await stop();
    if (attempt === ATTEMPTS || !log.text.includes("Address already in use")) {
      throw new Error(`mosquitto ended at once:\n${log.text}`);
    }
  }
}

/** Starts mosquitto_sub with a client id, and waits until the broker has its subscription. */
export async function startSubscriber(
  broker: Mosquitto,
  id: string,
  filter: string,
  { qos, count, format }: { readonly qos: 0 | 1; readonly count: number; readonly format: string },
): Promise<Subscriber> {
  const child = new Deno.Command("mosquitto_sub", {
    args: [
      ...["-h", broker.host, "-p", `${broker.port}`, "-V", "mqttv311", "-i", id, "-t", filter],
      ...["-q", `${qos}`, "-C", `${count}`, "-F", format],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output();
  const output = (async () => {
    const { code, stdout, stderr } = await deadline(ended, PATIENCE_MS);
    const errors = new TextDecoder().decode(stderr);
    if (code !== 0) throw new Error(`mosquitto_sub ended with ${code}:\n${errors}`);
    return new TextDecoder().decode(stdout);
  })();
  // The test that awaits it reports a failure.
  output.catch(() => {});
  const stop = async () => {
    await endProcess(child);
    await ended;
  };
  if (await Promise.race([broker.log.until(`${id} ${qos} ${filter}`), output.then(() => false)])) {
    return { output, [Symbol.asyncDispose]: stop };
  }
  await stop();
  throw new Error(`mosquitto_sub has not subscribed:\n${broker.log.text}`);
}

/** Publishes with mosquitto_pub, which gets the payload or the lines of payloads on its input. */
export async function publishWith(
  { host, port }: Mosquitto,
  args: readonly string[],
  input: string | Uint8Array = "",
): Promise<void> {
  const { code, errors } = await talk(
    "mosquitto_pub",
    ["-h", host, "-p", `${port}`, "-V", "mqttv311", ...args],
    input,
  );
  if (code !== 0 || errors !== "") throw new Error(`mosquitto_pub ended with ${code}:\n${errors}`);
}

/** Returns the part of a configuration that says who may connect. */
async function writeRules(
  folder: string,
  users?: Readonly<Record<string, string>>,
): Promise<string> {
  // As root it would become a user who cannot read the folder.
  const user = Deno.uid() === 0 ? "user root\n" : "";
  if (users === undefined) return `${user}allow_anonymous true\n`;
  const file = `${folder}/passwords`;
  await Deno.writeTextFile(file, "");
  for (const [name, password] of Object.entries(users)) {
    await must("mosquitto_passwd", "-b", file, name, password);
  }
  return `${user}allow_anonymous false\npassword_file ${file}\n`;
}

async function needPrograms(): Promise<void> {
  await needPackage("mosquitto", () => findProgram("mosquitto", "-h"));
  await needPackage("mosquitto-clients", () => findProgram("mosquitto_pub", "--help"));
}

/** Returns the name of a program that can be started. These exit with 1 or 3 after they have printed their help. */
async function findProgram(program: string, flag: string): Promise<string | undefined> {
  try {
    await new Deno.Command(program, {
      args: [flag],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return program;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
