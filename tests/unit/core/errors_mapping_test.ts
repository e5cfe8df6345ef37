import { assert, assertEquals, assertMatch, assertStrictEquals } from "@std/assert";
import {
  abort,
  close,
  closeWrite,
  type Connection,
  connectionOver,
  recv,
  recvInto,
  send,
  SocketError,
  type Transport,
} from "../../../mod.ts";
import { RAW_ERRORS, type RawError } from "../../support/raw_errors.ts";
import { soon } from "../../support/socket_errors.ts";

const BYTES = new Uint8Array([1, 2, 3]);
const PEER = { host: "2001:db8::7", port: 99 };

/** Makes a transport that takes everything, gives nothing, and fails as a test says. */
function transport(failing: Partial<Transport>): Transport {
  let endRead: (end: null) => void = () => {};
  return {
    read: () => new Promise((resolve) => endRead = resolve),
    write: (bytes) => Promise.resolve(bytes.length),
    closeWrite: () => Promise.resolve(),
    close: () => endRead(null),
    remoteAddr: { transport: "tcp", hostname: PEER.host, port: PEER.port },
    ...failing,
  };
}

interface Operation {
  readonly title: string;
  readonly operation: string;
  /** The method of the transport that fails. */
  readonly fails: "read" | "write" | "closeWrite";
  run(connection: Connection): Promise<unknown>;
}

const OPERATIONS: readonly Operation[] = [
  { title: "send()", operation: "send", fails: "write", run: (c) => send(c, BYTES) },
  {
    title: "send() with a timeout",
    operation: "send",
    fails: "write",
    run: (c) => send(c, BYTES, { timeout: 60_000 }),
  },
  { title: "recv()", operation: "recv", fails: "read", run: (c) => recv(c) },
  {
    title: "recv() with a timeout",
    operation: "recv",
    fails: "read",
    run: (c) => recv(c, { timeout: 60_000 }),
  },
  {
    title: "recvInto()",
    operation: "recvInto",
    fails: "read",
    run: (c) => recvInto(c, new Uint8Array(9)),
  },
  {
    title: "recvInto() with a timeout",
    operation: "recvInto",
    fails: "read",
    run: (c) => recvInto(c, new Uint8Array(9), { timeout: 60_000 }),
  },
  {
    title: "closeWrite()",
    operation: "closeWrite",
    fails: "closeWrite",
    run: (c) => closeWrite(c),
  },
  {
    title: "iteration",
    operation: "recv",
    fails: "read",
    run: async (connection) => {
      for await (const bytes of connection) assertEquals(bytes.length, 0);
    },
  },
  {
    title: "readable",
    operation: "recv",
    fails: "read",
    run: (connection) => connection.readable.getReader().read(),
  },
  {
    title: "readable with a caller's buffer",
    operation: "recv",
    fails: "read",
    run: (c) => c.readable.getReader({ mode: "byob" }).read(new Uint8Array(9)),
  },
  {
    title: "writable",
    operation: "send",
    fails: "write",
    run: (connection) => connection.writable.getWriter().write(BYTES),
  },
  {
    title: "closing writable",
    operation: "closeWrite",
    fails: "closeWrite",
    run: (connection) => connection.writable.getWriter().close(),
  },
];

/** Returns the error that a promise rejects with, and fails if it is anything but a SocketError. */
async function failure(promise: Promise<unknown>, what: string): Promise<SocketError> {
  const outcome = await soon(promise.then(() => "resolved", (error) => ({ error })));
  assert(typeof outcome === "object", `${what}: resolved`);
  const { error } = outcome;
  assert(error !== null && typeof error === "object", `${what}: rejected with a ${typeof error}`);
  const { constructor } = Object.getPrototypeOf(error);
  assertStrictEquals(constructor, SocketError, `${what}: a raw ${constructor?.name} escaped`);
  return error;
}

function check(error: SocketError, raw: RawError, operation: string, what: string): void {
  if (raw.kind !== undefined) assertEquals(error.kind, raw.kind, what);
  if (raw.code !== undefined) assertEquals(error.code, raw.code, what);
  assertEquals(error.operation, operation, what);
  assertEquals(error.address, PEER, what);
  assert(error.cause === raw.value || Number.isNaN(error.cause), `${what}: another cause`);
  assert("cause" in error, `${what}: no cause`);
  if (error.code !== undefined) assertMatch(error.code, /^[A-Z][A-Z0-9_]+$/, what);
  const suffix = error.code === undefined ? "" : ` (${error.code})`;
  const start = `${operation} [${PEER.host}]:${PEER.port}: `;
  assert(error.message.startsWith(start), `${what}: ${error.message}`);
  assert(error.message.endsWith(suffix), `${what}: ${error.message}`);
  assertEquals(error.message, start + error.reason, what);
  assertMatch(error.reason, /^[^\n]*[^\n.\s]$/, `${what}: ${error.message}`);
}

for (const { title, operation, fails, run } of OPERATIONS) {
  for (const how of ["rejects", "throws"]) {
    Deno.test(`E1: no raw error escapes from ${title} if ${fails} ${how}`, async () => {
      for (const raw of RAW_ERRORS) {
        const what = `${title}, ${raw.what}`;
        const fail = (): Promise<never> => {
          if (how === "throws") throw raw.value;
          return Promise.reject(raw.value);
        };
        const connection = connectionOver(transport({ [fails]: fail }));
        check(await failure(run(connection), what), raw, operation, what);
        abort(connection);
      }
    });
  }
}

Deno.test("R4: a broken connection stays broken, with the same error", async () => {
  for (const raw of RAW_ERRORS) {
    const connection = connectionOver(transport({ read: () => Promise.reject(raw.value) }));
    for (let again = 0; again < 3; again++) {
      check(await failure(recv(connection), raw.what), raw, "recv", raw.what);
      const into = recvInto(connection, new Uint8Array(9));
      check(await failure(into, raw.what), raw, "recvInto", raw.what);
    }
    abort(connection);
  }
});

Deno.test("K1: close() and abort() never throw for a failure of the transport", async () => {
  for (const { value, what } of RAW_ERRORS) {
    for (const fails of ["read", "write", "closeWrite", "close"] as const) {
      const thrower = transport({
        [fails]: () => {
          throw value;
        },
      });
      const closed = connectionOver(thrower);
      const sent = send(closed, BYTES).catch(() => {});
      assertEquals(await soon(close(closed, { linger: 0 })), undefined, `${what} of ${fails}`);
      await sent;
      assertEquals((await failure(recv(closed), what)).kind, "Closed");

      const aborted = connectionOver({ ...thrower });
      assertEquals(abort(aborted), undefined);
      assertEquals((await failure(send(aborted, BYTES), what)).kind, "Closed");
    }
  }
});

Deno.test("E1: an impossible count of a transport is Other, and no bytes are counted", async () => {
  for (const count of [undefined, -1, 1.5, NaN, Infinity, 2 ** 40, "3", {}, true, 3n]) {
    const bad = () => Promise.resolve(count as number);
    const what = `a count of ${String(count)}`;
    for (const { title, fails, run } of OPERATIONS) {
      if (fails === "closeWrite") continue;
      const connection = connectionOver(transport({ [fails]: bad }));
      const error = await failure(run(connection), `${title} with ${what}`);
      assertEquals(error.kind, "Other", error.message);
      assertEquals([connection.bytesSent, connection.bytesReceived], [0, 0]);
      abort(connection);
    }
  }
});

Deno.test("E2: the message has no address if the transport has none", async () => {
  for (const remoteAddr of [undefined, { transport: "vsock" }]) {
    const read = () => Promise.reject(new Error("it failed"));
    const connection = connectionOver(transport({ read, remoteAddr }));
    const error = await failure(recv(connection), "recv");
    assertEquals(error.message, "recv: it failed");
    assertEquals(error.address, undefined);
    assertEquals(connection.remoteAddress, { host: "", port: 0 });
    abort(connection);
  }
});
