import { must, needPackage } from "./packages.ts";

/** Another program may take a free port before PostgreSQL has it. */
const ATTEMPTS = 5;
const HOST = "127.0.0.1";
const PROGRAMS = "/usr/lib/postgresql";
/** PostgreSQL refuses to run as root. Debian's package makes this user. */
const USER = "postgres";

/** Users that log in without a password, with it, and with SCRAM. */
const RULES = `
host all postgres  127.0.0.1/32 trust
host all cleartext 127.0.0.1/32 password
host all scram     127.0.0.1/32 scram-sha-256
host all md5       127.0.0.1/32 md5
`;

/** A PostgreSQL server that runs until it is disposed of. */
export interface Postgres extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Runs psql with a statement, and gives its output. */
  psql(sql: string): Promise<Uint8Array>;
}

/** A certificate and its key, as PEM text. */
export interface PostgresCertificate {
  readonly cert: string;
  readonly key: string;
}

/** Runs one of PostgreSQL's programs to its end, and gives its output. */
type Run = (program: string, ...args: string[]) => Promise<Uint8Array>;

/** Makes a database in a folder of its own, starts a server on a free loopback port, and waits until it accepts. */
export async function startPostgres(certificate?: PostgresCertificate): Promise<Postgres> {
  const programs = await needPackage("postgresql", findPrograms);
  const ids = await findIds();
  const folder = await Deno.makeTempDir({ prefix: "postgres-" });
  const run: Run = async (program, ...args) => {
    const command = new Deno.Command(`${programs}/${program}`, {
      args,
      cwd: folder,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      ...ids,
    });
    const { success, stdout, stderr } = await command.output();
    if (success) return stdout;
    const output = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    throw new Error(`${program} failed:\n${output}`);
  };
  try {
    if (ids.uid !== undefined) await Deno.chown(folder, ids.uid, ids.gid!);
    await initialise(run, folder);
    if (certificate !== undefined) await addCertificate(`${folder}/data`, certificate, ids);
    return await start(run, folder);
  } catch (error) {
    await Deno.remove(folder, { recursive: true });
    throw error;
  }
}

/** Finds the folder of the newest version's programs, which Debian keeps out of the PATH. */
async function findPrograms(): Promise<string | undefined> {
  const versions: string[] = [];
  try {
    for await (const { name } of Deno.readDir(PROGRAMS)) {
      const files = [`${name}/bin/initdb`, `${name}/bin/postgres`, `${name}/bin/psql`];
      const found = await Promise.allSettled(files.map((file) => Deno.stat(`${PROGRAMS}/${file}`)));
      if (found.every(({ status }) => status === "fulfilled")) versions.push(name);
    }
  } catch {
    // Nothing is installed.
  }
  const [newest] = versions.sort((one, other) => Number(other) - Number(one));
  return newest && `${PROGRAMS}/${newest}/bin`;
}

/** Finds the user that the server runs as, if it is not the user of the tests. */
async function findIds(): Promise<{ readonly uid?: number; readonly gid?: number }> {
  if (Deno.uid() !== 0) return {};
  const [uid, gid] = await Promise.all(["-u", "-g"].map((flag) => must("id", flag, USER)));
  return { uid: Number(uid), gid: Number(gid) };
}

async function initialise(run: Run, folder: string): Promise<void> {
  await run("initdb", "-D", `${folder}/data`, "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync");
  await Deno.writeTextFile(`${folder}/data/pg_hba.conf`, RULES);
}

/** Makes the server speak TLS. It wants its key for itself. */
async function addCertificate(
  data: string,
  { cert, key }: PostgresCertificate,
  { uid, gid }: { readonly uid?: number; readonly gid?: number },
): Promise<void> {
  for (const [name, text] of [["server.crt", cert], ["server.key", key]]) {
    await Deno.writeTextFile(`${data}/${name}`, text, { mode: 0o600 });
    if (uid !== undefined) await Deno.chown(`${data}/${name}`, uid, gid!);
  }
  await Deno.writeTextFile(`${data}/postgresql.conf`, "ssl = on\n", { append: true });
}

async function start(run: Run, folder: string): Promise<Postgres> {
  const [data, log] = [`${folder}/data`, `${folder}/log`];
  for (let attempt = 1;; attempt++) {
    const port = freePort();
    const settings = `-p ${port} -h ${HOST} -k '' -F`;
    try {
      // It has started a process of its own when this ends, so nothing of it is open in a test's own process.
      await run("pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", settings);
    } catch (error) {
      const output = await Deno.readTextFile(log);
      if (attempt < ATTEMPTS && output.includes("Address already in use")) continue;
      throw new Error(output, { cause: error });
    }
    return {
      host: HOST,
      port,
      psql: (sql) => run("psql", "-XqAt", "-h", HOST, "-p", `${port}`, "-U", USER, "-c", sql),
      async [Symbol.asyncDispose](): Promise<void> {
        // It ends the process of the server and those of its sessions, and saves nothing.
        await run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", data);
        await Deno.remove(folder, { recursive: true });
      },
    };
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: HOST, port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
