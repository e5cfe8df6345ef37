import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { SocketError, type SocketErrorKind } from "../../mod.ts";

/** Every kind and whether the same call has a chance later; `Record` keeps the list complete. */
const RETRYABLE: Record<SocketErrorKind, boolean> = {
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
  Deno.test(`SocketError: ${kind} is ${retryable ? "" : "not "}retryable`, () => {
    for (const operation of ["send", "recv", "accept"]) {
      assertEquals(new SocketError(kind, operation, "reason").retryable, retryable);
    }
    assertEquals(
      new SocketError(kind, "connect", "reason").retryable,
      retryable || kind === "ConnectionReset",
    );
  });
}

Deno.test("SocketError: TimedOut is retryable where nothing was torn", () => {
  const timedOut = (operation: string, options?: { bytesSent?: number; code?: string }) =>
    new SocketError("TimedOut", operation, "reason", options).retryable;
  assert(timedOut("connect"));
  assert(timedOut("connect", { code: "ETIMEDOUT" }));
  assert(timedOut("recv"));
  assert(!timedOut("recv", { code: "ETIMEDOUT" }), "the kernel has given the connection up");
  assert(timedOut("send"), "it was waiting still");
  assert(!timedOut("send", { bytesSent: 0 }), "it was handed to the runtime");
  assert(!timedOut("send", { bytesSent: 5 }));
});

const ADDRESS = { host: "127.0.0.1", port: 9 };
const MESSAGES = [
  { options: undefined, message: "connect: it went wrong" },
  { options: {}, message: "connect: it went wrong" },
  { options: { code: "ECODE" }, message: "connect: it went wrong (ECODE)" },
  { options: { address: ADDRESS }, message: "connect 127.0.0.1:9: it went wrong" },
  {
    options: { address: ADDRESS, code: "ECODE" },
    message: "connect 127.0.0.1:9: it went wrong (ECODE)",
  },
  {
    options: { address: { host: "::1", port: 9 } },
    message: "connect [::1]:9: it went wrong",
  },
  {
    options: { address: { host: "example.com", port: 443 } },
    message: "connect example.com:443: it went wrong",
  },
];

for (const { options, message } of MESSAGES) {
  Deno.test(`E2: SocketError says "${message}"`, () => {
    assertEquals(new SocketError("Other", "connect", "it went wrong", options).message, message);
  });
}

Deno.test("SocketError: is an Error with the parts it was given", () => {
  const cause = new TypeError("underneath");
  const permission: Deno.NetPermissionDescriptor = { name: "net", host: "127.0.0.1:9" };
  const error = new SocketError("PermissionDenied", "connect", "no", {
    address: ADDRESS,
    code: "EACCES",
    permission,
    bytesSent: 0,
    cause,
  });
  assertInstanceOf(error, Error);
  assertEquals(error.name, "SocketError");
  assertEquals([error.kind, error.operation, error.code], [
    "PermissionDenied",
    "connect",
    "EACCES",
  ]);
  assertEquals([error.address, error.permission, error.bytesSent], [ADDRESS, permission, 0]);
  assertStrictEquals(error.cause, cause);
  assert(error.stack?.startsWith("SocketError: connect 127.0.0.1:9: no (EACCES)"));
});

Deno.test("SocketError: has no parts that it was not given", () => {
  const error = new SocketError("Other", "recv", "no");
  for (const part of ["address", "code", "permission", "bytesSent", "cause"]) {
    assertEquals(part in error, false, part);
  }
  assert("cause" in new SocketError("Aborted", "recv", "no", { cause: undefined }));
});
