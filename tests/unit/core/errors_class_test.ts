import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  closeWrite,
  type Connection,
  connectionOver,
  framed,
  lines,
  recv,
  recvFrame,
  recvInto,
  recvLine,
  send,
  SocketError,
  type SocketErrorKind,
} from "../../../mod.ts";

const ADDRESS = { host: "127.0.0.1", port: 9 };

/** True for the kinds with which the same call has a chance later; the compiler sees that none is missing. */
const RETRYABLE: Readonly<Record<SocketErrorKind, boolean>> = {
  PermissionDenied: false,
  InvalidInput: false,
  HostNotFound: true,
  ConnectionRefused: true,
  ConnectionReset: false,
  BrokenPipe: false,
  Unreachable: true,
  AddressInUse: true,
  AddressNotAvailable: true,
  TimedOut: true,
  Aborted: false,
  Closed: false,
  Busy: true,
  UnexpectedEof: false,
  InvalidData: false,
  CertificateRejected: false,
  TlsFailed: false,
  TooLarge: false,
  QueueFull: true,
  ResourceExhausted: true,
  Unsupported: false,
  Other: false,
};

for (const [kind, retryable] of Object.entries(RETRYABLE) as [SocketErrorKind, boolean][]) {
  Deno.test(`a SocketError of kind ${kind} is ${retryable ? "" : "not "}retryable`, () => {
    const error = new SocketError(kind, "send", "it failed");
    assertEquals(error.kind, kind);
    assertEquals(error.retryable, retryable);
  });
}

Deno.test("E2: an address that names nothing is not in an error", () => {
  for (const address of [{ path: "" }, { host: "", port: 0 }]) {
    const error = new SocketError("TimedOut", "serve", "it was silent", { address });
    assertEquals(error.message, "serve: it was silent");
    assertFalse("address" in error);
  }
});

Deno.test("the maker of a SocketError may say if it is retryable", () => {
  const made = (retryable: boolean) =>
    new SocketError("InvalidData", "recvFrame", "a busy signal", { retryable }).retryable;
  assertEquals([made(true), made(false)], [true, false]);
  assertFalse(new SocketError("TimedOut", "recv", "late", { retryable: false }).retryable);
});

Deno.test("ConnectionReset is retryable from connect alone", () => {
  assert(new SocketError("ConnectionReset", "connect", "reset").retryable);
  assertFalse(new SocketError("ConnectionReset", "recv", "reset").retryable);
});

Deno.test("no error with bytesSent is retryable, since the stream is torn", () => {
  assert(new SocketError("TimedOut", "send", "late").retryable);
  for (const kind of ["TimedOut", "Unreachable", "QueueFull"] as const) {
    assertFalse(new SocketError(kind, "send", "late", { bytesSent: 0 }).retryable);
  }
});

Deno.test("R4: no error of the system is retryable on a connection", async () => {
  for (const code of ["EHOSTUNREACH", "ENOBUFS", "ETIMEDOUT", "EBUSY"]) {
    const fails = () => Promise.reject(Object.assign(new Error("it failed"), { code }));
    const transport = { read: fails, write: fails, closeWrite: fails, close() {} };
    const calls: Record<string, (connection: Connection) => Promise<unknown>> = {
      recv: (connection) => recv(connection),
      recvInto: (connection) => recvInto(connection, new Uint8Array(1)),
      recvLine: (connection) => recvLine(connection),
      recvFrame: (connection) => recvFrame(framed(connection, lines())),
      send: (connection) => send(connection, new Uint8Array(1)),
      closeWrite: (connection) => closeWrite(connection),
    };
    for (const [name, call] of Object.entries(calls)) {
      const error = await assertRejects(() => call(connectionOver(transport)), SocketError);
      assertEquals([error.operation, error.code, error.retryable], [name, code, false]);
    }
  }
});

for (
  const { options, message } of [
    { options: undefined, message: "connect: it failed" },
    { options: { code: "ECODE" }, message: "connect: it failed (ECODE)" },
    { options: { address: ADDRESS }, message: "connect 127.0.0.1:9: it failed" },
    {
      options: { address: ADDRESS, code: "ECODE" },
      message: "connect 127.0.0.1:9: it failed (ECODE)",
    },
    {
      options: { address: { host: "::1", port: 9 } },
      message: "connect [::1]:9: it failed",
    },
    {
      options: { address: { host: "example.com", port: 443 } },
      message: "connect example.com:443: it failed",
    },
  ]
) {
  Deno.test(`E2: a message reads ${message}, and the reason is its end`, () => {
    const error = new SocketError("Other", "connect", "it failed", options);
    assertEquals(error.message, message);
    assertEquals(error.reason, message.slice(message.indexOf(": ") + 2));
  });
}

Deno.test("E2: the reason of one error can be the reason of another with the same code", () => {
  const first = new SocketError("Other", "connect", "a: b (c)", { code: "ECODE" });
  assertEquals(first.reason, "a: b (c) (ECODE)");
  const second = new SocketError("Other", "serve", first.reason, { code: "ECODE" });
  assertEquals(second.message, "serve: a: b (c) (ECODE)");
  assertEquals(second.reason, first.reason);
});

Deno.test("a SocketError is an Error with its options as fields, and no other fields", () => {
  const bare = new SocketError("Closed", "recv", "closed");
  assertInstanceOf(bare, Error);
  assertEquals(bare.name, "SocketError");
  assertEquals(`${bare}`, "SocketError: recv: closed");
  for (const absent of ["address", "code", "permission", "bytesSent", "cause"]) {
    assertFalse(absent in bare, absent);
  }
  const cause = new Error("underneath");
  const permission = { name: "net", host: "127.0.0.1:9" } as const;
  const given = { address: ADDRESS, code: "ECODE", permission, bytesSent: 0, cause };
  const full = new SocketError("Other", "send", "it failed", given);
  assertEquals({ ...full }, {
    name: "SocketError",
    kind: "Other",
    operation: "send",
    reason: "it failed (ECODE)",
    address: ADDRESS,
    code: "ECODE",
    permission,
    bytesSent: 0,
    retryable: false,
  });
  assertStrictEquals(full.cause, cause);
});

Deno.test("a SocketError with a cause that is undefined has a cause", () => {
  assert("cause" in new SocketError("Other", "recv", "failed", { cause: undefined }));
});
