import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import { SocketError, type SocketErrorKind } from "../../../mod.ts";

const ADDRESS = { host: "127.0.0.1", port: 9 };

/** Every kind, and whether the same call has a chance later; the compiler sees that none is missing. */
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

Deno.test("whoever makes a SocketError may say whether it is retryable", () => {
  const made = (retryable: boolean) =>
    new SocketError("InvalidData", "recvFrame", "a busy signal", { retryable }).retryable;
  assertEquals([made(true), made(false)], [true, false]);
  assertFalse(new SocketError("TimedOut", "recv", "late", { retryable: false }).retryable);
});

Deno.test("ConnectionReset is retryable from connect alone", () => {
  assert(new SocketError("ConnectionReset", "connect", "reset").retryable);
  assertFalse(new SocketError("ConnectionReset", "recv", "reset").retryable);
});

Deno.test("TimedOut is not retryable where the stream was torn", () => {
  assert(new SocketError("TimedOut", "send", "late").retryable);
  assertFalse(new SocketError("TimedOut", "send", "late", { bytesSent: 0 }).retryable);
  // From the kernel it means that the connection is given up, except while it is being made.
  assertFalse(new SocketError("TimedOut", "recv", "late", { code: "ETIMEDOUT" }).retryable);
  assert(new SocketError("TimedOut", "connect", "late", { code: "ETIMEDOUT" }).retryable);
});

Deno.test("no error of the system is retryable on a stream: broken stays broken", () => {
  const errors = [["Unreachable", "EHOSTUNREACH"], ["ResourceExhausted", "ENOBUFS"]] as const;
  for (const [kind, code] of errors) {
    for (const operation of ["send", "recv", "recvInto", "closeWrite", "recvFrame", "recvLine"]) {
      assertFalse(new SocketError(kind, operation, "it failed", { code }).retryable, operation);
    }
    for (const operation of ["connect", "accept", "listen", "bindUdp", "sendTo", "recvFrom"]) {
      assert(new SocketError(kind, operation, "it failed", { code }).retryable, operation);
    }
    assertFalse(new SocketError(kind, "send", "it failed", { bytesSent: 0 }).retryable);
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
  Deno.test(`E2: a message reads ${message}`, () => {
    assertEquals(new SocketError("Other", "connect", "it failed", options).message, message);
  });
}

Deno.test("a SocketError is an Error with what it was given, and nothing else", () => {
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
    address: ADDRESS,
    code: "ECODE",
    permission,
    bytesSent: 0,
    retryable: false,
  });
  assertStrictEquals(full.cause, cause);
});

Deno.test("a SocketError tells a cause that is undefined from none", () => {
  assert("cause" in new SocketError("Other", "recv", "failed", { cause: undefined }));
});
