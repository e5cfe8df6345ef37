import { assert, assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  closeWrite,
  type Connection,
  connectionOver,
  connectTls,
  listen,
  recv,
  recvExactly,
  send,
  SocketError,
  type SocketErrorKind,
  startTls,
  type TlsConnection,
} from "../../mod.ts";
import type { TestAuthority } from "../support/certificates.ts";
import { Random } from "../support/random.ts";
import { expected, hashOf, sortOf } from "./expectations.ts";
import type { Target } from "./target.ts";
import { OTHERS, type Recorded, repairRecord, WORDS } from "./tls_seeds.ts";

/** Inputs are fewer by this factor: each begins with a key agreement. */
const SLOWNESS = 25;
const LONGEST_BYTES = 20_000;
/** Far longer than any of these handshakes, which end with their input (ms). */
const HANDSHAKE_TIMEOUT_MS = 15_000;
/** The errors of a handshake whose peer ends. */
const KINDS: readonly SocketErrorKind[] = ["TlsFailed", "CertificateRejected", "UnexpectedEof"];
/** Over a socket, a peer that goes with unread input resets. */
const SOCKET_KINDS: readonly SocketErrorKind[] = [...KINDS, "ConnectionReset", "BrokenPipe"];

/** A transport that gives an input in pieces, and counts what is left open. */
class InputTransport {
  closed = false;
  #left: Uint8Array;
  readonly #random: Random;

  constructor(input: Uint8Array) {
    this.#left = input;
    this.#random = new Random(hashOf(input));
  }

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.closed) return Promise.reject(new Deno.errors.BadResource("closed"));
    if (this.#left.length === 0) return Promise.resolve(null);
    const longest = [3, 40, 500, this.#left.length][this.#random.below(4)];
    const piece = this.#left.subarray(0, Math.min(longest, buffer.length));
    buffer.set(piece);
    this.#left = this.#left.subarray(piece.length);
    return Promise.resolve(piece.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.closed = true;
  }
}

/** Awaits a handshake that no input can end well: the numbers of a recorded one are others. */
async function failing(
  handshake: Promise<TlsConnection>,
  operation: string,
  kinds: readonly SocketErrorKind[],
): Promise<string> {
  let connection: Connection;
  try {
    connection = await handshake;
  } catch (error) {
    return sortOf(expected(error, operation, kinds));
  }
  abort(connection);
  throw new Error("a connection was given out");
}

/** Makes the targets of TLS. */
export function tlsTargets(authority: TestAuthority, recorded: Recorded): Target[] {
  const { ca, server, client } = authority;
  const trusted = {
    caCerts: [ca.cert],
    serverName: "server.test",
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
  const demanding = {
    cert: server.cert,
    key: server.key,
    clientCaCerts: [ca.cert],
    alpnProtocols: ["h2"],
    certificateFor: () => Promise.resolve(undefined),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  };
  const own = { cert: client.cert, key: client.key };
  const common = { words: WORDS, longest: LONGEST_BYTES, slowness: SLOWNESS, repair: repairRecord };

  /** Runs a handshake on the other engine, over a transport that has nothing but the input. */
  async function onEngine(
    input: Uint8Array,
    begin: (connection: Connection) => Promise<TlsConnection>,
  ): Promise<string> {
    const transport = new InputTransport(input);
    const connection = connectionOver(transport);
    const outcome = await failing(begin(connection), "startTls", KINDS);
    assert(transport.closed, "the transport is open");
    await recv(connection).then(
      () => assert(false, "the old handle receives"),
      (error) => expected(error, "recv", ["Closed"]),
    );
    return outcome;
  }

  const onClient = (connection: Connection) =>
    startTls(connection, { role: "client", ...trusted, ...own });
  const onServer = (connection: Connection) =>
    startTls(connection, { role: "server", ...demanding });

  return [{
    ...common,
    name: "TLS client, engine",
    seeds: [...recorded.server, ...OTHERS],
    check: (input) => onEngine(input, onClient),
    outcomes: ["TlsFailed: startTls: the peer does not speak TLS", "UnexpectedEof", "TlsFailed"],
    worst: [{
      name: "a message that does not end, in records of one byte",
      size: 500,
      make: (size) => {
        const begin = [22, 3, 3, 0, 4, 2, 0, 0xff, 0xff];
        const records = Array.from({ length: size }, () => [22, 3, 3, 0, 1, 0]).flat();
        const input = new Uint8Array([...begin, ...records]);
        return () => onEngine(input, onClient);
      },
    }],
  }, {
    ...common,
    name: "TLS server",
    seeds: [...recorded.client, ...OTHERS],
    check: (input) => onEngine(input, onServer),
    outcomes: ["TlsFailed: startTls: the peer does not speak TLS", "UnexpectedEof", "TlsFailed"],
    worst: [{
      name: "a first message that comes in small pieces",
      size: 1000,
      make: (size) => {
        const begin = [22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0];
        const input = new Uint8Array([...begin, ...new Array(size).fill(0)]);
        return () => onEngine(input, onServer);
      },
    }],
  }, {
    ...common,
    name: "TLS client, runtime",
    seeds: [...recorded.server, ...OTHERS],
    check: (input) => onRuntime(input, trusted),
    outcomes: [
      "TlsFailed: connectTls #:#: the peer does not speak TLS",
      "UnexpectedEof",
      "TlsFailed",
    ],
    worst: [],
  }, {
    ...common,
    name: "STARTTLS with early bytes",
    seeds: [...recorded.server, ...recorded.client, ...OTHERS],
    check: (input) => checkEarly(input, hashOf(input) % 2 === 0 ? onClient : onServer),
    outcomes: ["refused", "UnexpectedEof"],
    worst: [],
  }];
}

/** Connects with the runtime's own TLS to a peer that sends the input and ends. */
async function onRuntime(
  input: Uint8Array,
  options: Parameters<typeof connectTls>[1],
): Promise<string> {
  const listener = await listen({ host: "127.0.0.1", port: 0 });
  const { port } = listener.address;
  const handshake = connectTls({ host: "127.0.0.1", port }, options);
  const serving = serveInput(await accept(listener), input);
  try {
    return await failing(handshake, "connectTls", SOCKET_KINDS);
  } finally {
    // It ends when the client has closed its socket.
    await serving;
    await closeListener(listener);
  }
}

async function serveInput(connection: Connection, input: Uint8Array): Promise<void> {
  try {
    await send(connection, input);
    await closeWrite(connection);
    while (await recv(connection) !== null) { /* the client's messages */ }
  } catch (error) {
    assert(error instanceof SocketError, String(error));
  } finally {
    abort(connection);
  }
}

/** Checks that bytes from before the handshake are refused, and that the connection is as before then. */
async function checkEarly(
  input: Uint8Array,
  begin: (connection: Connection) => Promise<TlsConnection>,
): Promise<string> {
  let at = 0;
  const transport = {
    read(buffer: Uint8Array): Promise<number | null> {
      const piece = input.subarray(at, at + buffer.length);
      buffer.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    },
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => {},
  };
  const connection = connectionOver(transport);
  // One byte is received, as the last one of an answer in the clear: others may have come with it.
  const first = await recvExactly(connection, Math.min(1, input.length));
  assertEquals(first, input.slice(0, 1));
  const early = at - first!.length;
  if (early === 0) return await failing(begin(connection), "startTls", KINDS);
  const refusal = await begin(connection).then(() => undefined, (error) => error);
  expected(refusal, "startTls", ["InvalidInput"]);
  const rest: number[] = [];
  for await (const bytes of connection) rest.push(...bytes);
  assertEquals(new Uint8Array(rest), input.slice(1));
  await close(connection);
  return "refused";
}
