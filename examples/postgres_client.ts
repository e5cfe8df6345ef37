/**
 * Sends statements to a PostgreSQL server, and prints the rows with tabs between their values, and `\N` for NULL. It
 * streams what COPY ... TO STDOUT gives:
 *
 *     deno run --allow-net postgres_client.ts postgres://user:password@127.0.0.1:5432/database "SELECT 1; SELECT 2"
 *     deno run --allow-net postgres_client.ts postgres://user@127.0.0.1/database "COPY table TO STDOUT" > table.txt
 *
 * The command line has no encryption, which `PostgresClient` has with `tls`: use it on loopback, or on a network that you
 * trust. Other users of the machine can see a password in a command line. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import { concat } from "@std/bytes/concat";
import {
  abort,
  type Address,
  close,
  connect,
  type Connection,
  framed,
  type FramedConnection,
  invalidFrame,
  type OperationOptions,
  parseAddress,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  sendFrame,
  SocketError,
  startTls,
  type TlsClientOptions,
} from "../mod.ts";
import { exitWithProblem } from "./arguments.ts";
import {
  encodeMessage,
  messages,
  PostgresError,
  type Reply,
  type Request,
  Scram,
  uint32,
  untyped,
} from "./postgres_protocol.ts";

const PROTOCOL_VERSION = 3 << 16;
const CANCEL_REQUEST_CODE = 1234 << 16 | 5678;
const SSL_REQUEST_CODE = 1234 << 16 | 5679;
const CANCEL_TIMEOUT_MS = 5000;

export interface PostgresOptions extends OperationOptions {
  readonly user: string;
  /** Default: the name of the user. */
  readonly database?: string;
  readonly password?: string;
  /** Lets the server have the password itself, instead of a proof of it. Default: false. */
  readonly allowCleartext?: boolean;
  /** Options of TLS, which the server must speak then, as with `sslmode=verify-full`. Default: no TLS. */
  readonly tls?: TlsClientOptions;
  /** Maximum number of bytes in a message: a row, or an SQL text. Default: 64 MiB. */
  readonly maxLength?: number;
}

/** The result of one statement, whose values are text, or `null` for NULL. */
export interface Result {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** The statement and the number of its rows, such as `SELECT 3`. */
  readonly tag: string;
}

/**
 * Runs requests in one session, one after the other in their order. Their `signal` and `timeout` are for the whole
 * request, with its time in the queue. A request that gives up is cancelled at the server; the next one drops the rest
 * of its replies, so the session goes on. It also goes on after a `PostgresError` that is not `fatal`. After any other
 * failure each request rejects with the same error.
 */
export class PostgresClient implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #messages: FramedConnection<Request, Reply>;
  /** Resolves after all requests so far. */
  #last: Promise<void> = Promise.resolve();
  /** True until the replies to the last request have come. */
  #busy = true;
  /** Number of values in each row of the statement at hand. */
  #columns = 0;
  /** The error that ended the session. */
  #failure: unknown;
  /** Number of the server's process, and a secret. */
  #key?: Uint8Array;
  #cancelling: Promise<void> = Promise.resolve();

  readonly #tls?: TlsClientOptions;

  private constructor(connection: Connection, { maxLength = 64 * 2 ** 20, tls }: PostgresOptions) {
    this.#connection = connection;
    this.#messages = framed(connection, messages(maxLength));
    this.#tls = tls;
  }

  /** Connects and logs in. `signal` and `timeout` (10 seconds by default) are for both together. */
  static async connect(address: Address, options: PostgresOptions): Promise<PostgresClient> {
    const { timeout = 10_000 } = options;
    const limit = new Limit("connect", { signal: options.signal, timeout });
    let connection: Connection | undefined;
    try {
      connection = await open(address, options.tls, limit.signal);
      const client = new PostgresClient(connection, options);
      await client.#start(options, limit.signal);
      return client;
    } catch (error) {
      if (connection !== undefined) abort(connection);
      throw limit.explain(error);
    }
  }

  /** Runs statements, and gives the result of each. All rows are kept in memory: `copyOut` streams. */
  async query(sql: string, options: OperationOptions = {}): Promise<Result[]> {
    const results: Result[] = [];
    let columns: readonly string[] = [];
    let rows: (readonly (string | null)[])[] = [];
    for await (const batch of this.#request("query", sql, options)) {
      for (const reply of batch) {
        if (reply.kind === "columns") columns = reply.columns;
        if (reply.kind === "row") rows.push(reply.row);
        if (reply.kind === "copyOut") {
          throw new SocketError("InvalidInput", "query", "COPY ... TO STDOUT is for copyOut");
        }
        if (reply.kind !== "complete") continue;
        results.push({ columns, rows, tag: reply.tag });
        [columns, rows] = [[], []];
      }
    }
    return results;
  }

  /**
   * Runs COPY ... TO STDOUT, and gives its bytes as they come. The server is read only as fast as the iteration goes, so
   * little is kept in memory. The request begins with the iteration, and is cancelled if the iteration is left.
   */
  async *copyOut(sql: string, options: OperationOptions = {}): AsyncGenerator<Uint8Array> {
    let copied = false;
    for await (const batch of this.#request("copyOut", sql, options)) {
      copied ||= batch.some(({ kind }) => kind === "copyOut");
      const parts = batch.flatMap((reply) => reply.kind === "copyData" ? [reply.bytes] : []);
      if (parts.length > 0) yield concat(parts);
    }
    if (!copied) throw new SocketError("InvalidInput", "copyOut", "it is no COPY ... TO STDOUT");
  }

  /** Ends the session. A request that has not ended rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cancelling;
    if (this.#busy) return abort(this.#connection);
    // If it cannot be sent, the connection is lost already.
    await sendFrame(this.#messages, ["X"]).catch(() => {});
    await close(this.#connection).catch(() => {});
  }

  async #start(options: PostgresOptions, signal: AbortSignal): Promise<void> {
    const { user, database = user } = options;
    const parameters = ["user", user, "database", database, "client_encoding", "UTF8", ""];
    const startup = encodeMessage("", uint32(PROTOCOL_VERSION), ...parameters);
    await sendFrame(framed(this.#connection, untyped), startup, { signal });
    await this.#authenticate(options, signal);
    while (this.#busy) {
      for (const reply of await this.#receive(signal)) {
        if (reply.kind === "key") this.#key = reply.key;
        if (reply.kind === "error") throw reply.error;
      }
    }
  }

  async #authenticate(options: PostgresOptions, signal: AbortSignal): Promise<void> {
    const { password, allowCleartext = false } = options;
    let scram: Scram | undefined;
    for (;;) {
      const reply = await recvFrame(this.#messages, { signal });
      if (reply === null) throw ended("recvFrame");
      if (reply.kind === "ignored") continue;
      if (reply.kind === "error") throw reply.error;
      if (reply.kind !== "authentication") throw invalidFrame(`${reply.kind} before a login`);
      const { method, data } = reply;
      // A server that breaks off SCRAM has not proved that it knows the password.
      if (method === 0 && (scram === undefined || scram.verified)) return;
      let answer: Request;
      if (method === 3 && password !== undefined && allowCleartext) {
        answer = ["p", password];
      } else if (method === 10 && password !== undefined && scram === undefined) {
        const offered = new TextDecoder().decode(data).split("\0");
        if (!offered.includes(Scram.MECHANISM)) throw unsupported(offered.join(" "));
        scram = new Scram();
        const first = scram.begin();
        answer = ["p", Scram.MECHANISM, uint32(first.length), first];
      } else if (method === 11 && password !== undefined && scram !== undefined) {
        answer = ["p", await scram.prove(data, password)];
      } else if (method === 12 && scram !== undefined) {
        scram.verify(data);
        continue;
      } else {
        throw unsupported(password === undefined ? "a password" : `authentication ${method}`);
      }
      await sendFrame(this.#messages, answer, { signal });
    }
  }

  /** Sends a query in its turn, and gives its replies until the server is ready for the next one. */
  async *#request(
    operation: string,
    sql: string,
    options: OperationOptions,
  ): AsyncGenerator<Reply[]> {
    const limit = new Limit(operation, options);
    const { signal } = limit;
    const before = this.#last;
    const turn = Promise.withResolvers<void>();
    this.#last = before.then(() => turn.promise);
    let started = false;
    try {
      await limit.wait(before.then(() => this.#cancelling));
      // These are replies to a request that gave up.
      while (this.#busy && this.#failure === undefined) await this.#receive(signal);
      if (this.#failure !== undefined) throw this.#failure;
      await sendFrame(this.#messages, ["Q", sql], { signal });
      started = this.#busy = true;
      let failure: PostgresError | undefined;
      while (this.#busy) {
        const batch = await this.#receive(signal);
        for (const reply of batch) if (reply.kind === "error") failure ??= reply.error;
        yield batch;
      }
      if (failure !== undefined) throw failure;
    } catch (error) {
      throw limit.explain(error);
    } finally {
      if (started && this.#busy && this.#failure === undefined) this.#cancelling = this.#cancel();
      turn.resolve();
    }
  }

  /** Receives the replies that have come, and checks their order. */
  async #receive(signal: AbortSignal): Promise<Reply[]> {
    try {
      const batch = await recvFrames(this.#messages, { signal });
      if (batch === null) throw ended("recvFrames");
      for (const reply of batch) {
        if (reply.kind === "error" && reply.error.fatal) throw reply.error;
        if (reply.kind === "authentication") throw invalidFrame("a second login");
        if (!this.#busy && reply.kind !== "ignored") throw invalidFrame("an answer to no request");
        if (reply.kind === "columns") this.#columns = reply.columns.length;
        if (reply.kind === "complete") this.#columns = 0;
        if (reply.kind === "row" && reply.row.length !== this.#columns) {
          throw invalidFrame("a row does not fit its columns");
        }
        if (reply.kind === "copyIn") {
          await sendFrame(this.#messages, ["f", "this client sends no COPY"], { signal });
        }
        if (reply.kind === "ready") this.#busy = false;
      }
      return batch;
    } catch (error) {
      // A cancelled call loses nothing: the next one gets the replies.
      if (!(error instanceof SocketError && error.kind === "Aborted")) {
        this.#failure = error;
        abort(this.#connection);
      }
      throw error;
    }
  }

  /** Asks the server to break off its work, on a connection of its own. The server confirms with the end of stream. */
  async #cancel(): Promise<void> {
    if (this.#key === undefined) return;
    const options = { signal: AbortSignal.timeout(CANCEL_TIMEOUT_MS) };
    try {
      const { remoteAddress } = this.#connection;
      await using connection = await open(remoteAddress, this.#tls, options.signal);
      const request = encodeMessage("", uint32(CANCEL_REQUEST_CODE), this.#key);
      await sendFrame(framed(connection, untyped), request, options);
      await recv(connection, options);
    } catch {
      // The server works on, and the next request waits for it.
    }
  }
}

/** Connects, and asks the server for TLS if it is wanted. The server says `S` for yes, and then both begin. */
async function open(
  address: Address,
  tls: TlsClientOptions | undefined,
  signal: AbortSignal,
): Promise<Connection> {
  const plain = await connect(address, { signal });
  if (tls === undefined) return plain;
  try {
    await sendFrame(framed(plain, untyped), encodeMessage("", uint32(SSL_REQUEST_CODE)), {
      signal,
    });
    const [answer] = (await recvExactly(plain, 1, { signal }))!;
    if (answer !== "S".charCodeAt(0)) {
      throw new SocketError("TlsFailed", "connect", "the server has no TLS");
    }
    return await startTls(plain, { role: "client", serverName: address.host, ...tls, signal });
  } catch (error) {
    abort(plain);
    throw error;
  }
}

/** The signal and the timeout of a request of several calls. */
class Limit {
  readonly signal: AbortSignal;
  readonly #operation: string;
  readonly #timeout: number;
  readonly #timer?: AbortSignal;

  constructor(operation: string, { signal, timeout = Infinity }: OperationOptions) {
    this.#operation = operation;
    this.#timeout = timeout;
    if (timeout !== Infinity) this.#timer = AbortSignal.timeout(timeout);
    this.signal = AbortSignal.any([signal, this.#timer].filter((one) => one !== undefined));
  }

  /** Waits for a promise until the signal aborts. */
  wait(promise: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const { signal } = this;
      const stop = () => {
        const options = { cause: signal.reason };
        reject(new SocketError("Aborted", this.#operation, "cancelled in the queue", options));
      };
      if (signal.aborted) return stop();
      signal.addEventListener("abort", stop, { once: true });
      promise.then(resolve).finally(() => signal.removeEventListener("abort", stop));
    });
  }

  /** Makes `TimedOut` of an error that the timeout caused. */
  explain(error: unknown): unknown {
    const timedOut = this.#timer?.aborted && error instanceof SocketError &&
      error.kind === "Aborted";
    if (!timedOut) return error;
    const reason = `timed out after ${this.#timeout} ms`;
    return new SocketError("TimedOut", this.#operation, reason, { cause: error });
  }
}

function ended(operation: string): SocketError {
  return new SocketError("UnexpectedEof", operation, "the server has ended the session");
}

function unsupported(asked: string): SocketError {
  const known = "this client knows SCRAM-SHA-256, and cleartext if that is allowed";
  return new SocketError("Unsupported", "connect", `the server asks for ${asked}, but ${known}`);
}

async function main([target = "", sql]: readonly string[]): Promise<void> {
  const url = URL.parse(target);
  if (url?.protocol !== "postgres:" || sql === undefined) {
    exitWithProblem("arguments are postgres://user:password@host:port/database and an SQL text");
  }
  const [user, password, path] = [url.username, url.password, url.pathname].map(decodeURIComponent);
  const address = parseAddress(url.port === "" ? `${url.host}:5432` : url.host);
  await using client = await PostgresClient.connect(address, {
    user,
    password: password === "" ? undefined : password,
    database: path.slice(1) || user,
  });
  if (/^\s*copy\b/i.test(sql)) {
    const bytes = ReadableStream.from(client.copyOut(sql));
    return await bytes.pipeTo(Deno.stdout.writable, { preventClose: true });
  }
  for (const { columns, rows, tag } of await client.query(sql)) {
    for (const row of [columns, ...rows]) console.log(row.map((one) => one ?? "\\N").join("\t"));
    console.log(tag);
  }
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    if (!(error instanceof SocketError || error instanceof PostgresError)) throw error;
    console.error(error.message);
    Deno.exitCode = 1;
  }
}
