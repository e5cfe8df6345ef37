import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  abort,
  accept,
  type Address,
  bindUdp,
  closeListener,
  closeUdp,
  connect,
  formatAddress,
  listen,
  parseAddress,
  sendTo,
} from "../../../mod.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import { type OpenHandles, openHandles } from "../../support/open_handles.ts";
import { rejection, thrown } from "../../support/socket_errors.ts";

const BYTES = new Uint8Array([1]);

/** 254 characters of valid labels: one more than a name may have. */
const TOO_LONG = [63, 63, 63, 62].map((length) => "a".repeat(length)).join(".");

const BAD_HOSTS = [
  ["", "a b", " ", " localhost", "localhost ", "local\nhost", "a\tb", "\0", "localhost\0", "a\0b"],
  [TOO_LONG, "a".repeat(64), "a".repeat(100_000), "a..b", ".a", ".", ".."],
  ["[::1]", "[127.0.0.1]", "[localhost]", "[", "]", "::1]", "[::1"],
  ["fe80::1%", "fe80::1%eth 0", "fe80::1%eth0%1", "::ffff:127.0.0.1%lo", "127.0.0.1%lo", "%"],
  ["0177.0.0.1", "0177.1", "127.0.0.01", "00.0.0.0", "017700000001"],
  ["0x7f.0.0.1", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "127.0.0.0x1"],
  ["127.1", "127.0.1", "2130706433", "0", "256.0.0.1", "1.2.3.4.5", "1.2.3.4."],
  [":", ":::", "::1::", "1::2::3", "12345::", "::g", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9"],
  ["::ffff:1.2.3", "::ffff:256.0.0.1", "::ffff:127.0.0.01", "::127.0.0.1:1", "1.2.3.4::"],
  ["127.0.0.1:80", "localhost:80", "http://localhost", "a/b", "user@host", "*", "a,b"],
].flat();

const BAD_PORTS: readonly unknown[] = [
  ...[-1, 65_536, 66_770, 1.5, NaN, Infinity, -Infinity, 2 ** 32 + 80, Number.MIN_VALUE],
  ...["", "80", "80x", "0x50", " 80 ", null, undefined, true, 80n, Symbol("80"), [], [80], {}],
  ...[() => 80, new Number(80), { valueOf: () => 80 }],
];

const BAD_ADDRESSES: readonly (readonly [what: string, value: unknown])[] = [
  ...WRONG_OBJECTS,
  ["no port", { host: "127.0.0.1" }],
  ["no host", { port: 80 }],
  ["the runtime's names", { hostname: "127.0.0.1", port: 80 }],
  ...[5, null, true, ["127.0.0.1"], new String("127.0.0.1"), { toString: () => "127.0.0.1" }]
    .map((host) => [`host ${host}`, { host, port: 80 }] as const),
  ["a symbol as host", { host: Symbol("127.0.0.1"), port: 80 }],
  ["a throwing host", {
    get host(): string {
      throw new RangeError("host");
    },
    port: 80,
  }],
  ["a throwing port", {
    host: "127.0.0.1",
    get port(): number {
      throw null;
    },
  }],
];

/** The functions that take an address. */
function calls(
  { udp }: OpenHandles,
): { operation: string; call: (address: Address) => Promise<unknown> }[] {
  return [
    { operation: "listen", call: (address) => listen(address) },
    { operation: "connect", call: (address) => connect(address) },
    { operation: "bindUdp", call: (address) => bindUdp(address) },
    { operation: "sendTo", call: (address) => sendTo(udp, address, BYTES) },
  ];
}

async function allReject(address: unknown, what: string, handles: OpenHandles): Promise<void> {
  for (const { operation, call } of calls(handles)) {
    const error = await rejection(
      () => call(address as Address),
      "InvalidInput",
      operation,
      `${operation} with ${what}`,
    );
    assertMatch(error.message, new RegExp(`^${operation}: `));
    assertEquals(error.retryable, false);
  }
  thrown(() => formatAddress(address as Address), "InvalidInput", "formatAddress");
}

Deno.test("E1: bad hosts are InvalidInput before any I/O", async () => {
  await using handles = await openHandles();
  for (const host of BAD_HOSTS) {
    await allReject({ host, port: 80 }, JSON.stringify(host.slice(0, 99)), handles);
  }
  await handles.prove();
});

Deno.test("E1: bad ports are InvalidInput before any I/O", async () => {
  await using handles = await openHandles();
  for (const host of ["127.0.0.1", "::1", "localhost"]) {
    for (const port of BAD_PORTS) {
      const what = typeof port === "object" ? "a port of a wrong type" : `port ${String(port)}`;
      await allReject({ host, port }, what, handles);
    }
  }
  await handles.prove();
});

Deno.test("E1: an object that is no address is InvalidInput before any I/O", async () => {
  await using handles = await openHandles();
  for (const [what, address] of BAD_ADDRESSES) await allReject(address, what, handles);
  await handles.prove();
});

Deno.test("E1: port 0 is InvalidInput to connect() and sendTo(), and a free port elsewhere", async () => {
  await using handles = await openHandles();
  for (const host of ["127.0.0.1", "::1", "localhost"]) {
    const address = { host, port: 0 };
    await rejection(() => connect(address), "InvalidInput", "connect");
    await rejection(() => sendTo(handles.udp, address, BYTES), "InvalidInput", "sendTo");
    await closeListener(await listen(address));
    await closeUdp(await bindUdp(address));
    assertEquals(parseAddress(formatAddress(address)), address);
  }
  await handles.prove();
});

Deno.test("E1: parseAddress() throws InvalidInput for anything but host:port", () => {
  const hosts = BAD_HOSTS.map((host) => `${host}:80`);
  const bracketed = ["", ":", "127.0.0.1", "localhost", "::1%", "[::1]", "::g", " ::1"];
  const ports = ["", "-1", "+1", "65536", "1.5", "80x", "0x50", " 80", "80 ", "080", "1e3", "NaN"];
  const texts = [
    ...["", ":", "80", "127.0.0.1", "::1", "::1:80", "[::1]", "[::1]80", "127.0.0.1:80:80"],
    ...hosts.filter((text) => text !== "[::1]:80"),
    ...bracketed.map((host) => `[${host}]:80`),
    ...ports.flatMap((port) => [`127.0.0.1:${port}`, `[::1]:${port}`, `localhost:${port}`]),
    ...["127.0.0.1:80\n", "\n127.0.0.1:80", "x[::1]:80", "[::1]x:80", "[::1]:80x"],
  ];
  for (const text of texts) thrown(() => parseAddress(text), "InvalidInput", "parseAddress");
  for (const [, value] of WRONG_OBJECTS) {
    if (typeof value === "string" && value !== "") continue;
    thrown(() => parseAddress(value as string), "InvalidInput", "parseAddress");
  }
});

Deno.test("E2: messages about bad input stay on one line and short", async () => {
  for (const host of ["a".repeat(100_000), "local\nhost"]) {
    const error = await rejection(() => connect({ host, port: 80 }), "InvalidInput", "connect");
    assertMatch(error.message, /^.{1,400}$/);
  }
  assertMatch(
    thrown(() => parseAddress("x\n".repeat(9999)), "InvalidInput", "parseAddress").message,
    /^.{1,400}$/,
  );
});

Deno.test("E2: messages about bad input show characters that a log or a terminal would obey", () => {
  for (
    const unseen of ["\x7f", "\x85", "\x9b", "\u2028", "\u2029", "\u202e", "\u200b", "\u{e0041}"]
  ) {
    const { message } = thrown(() => parseAddress(`a${unseen}`), "InvalidInput", "parseAddress");
    assertMatch(message, /^[\x20-\x7e]+$/, JSON.stringify(message));
    // JSON gives the original text back.
    assertEquals(JSON.parse(/"[^"]*"/.exec(message)![0]), `a${unseen}`);
  }
});

Deno.test("E1: names that nobody knows are HostNotFound", async () => {
  await using handles = await openHandles();
  for (const host of ["no-such.invalid", "no-such.invalid.", TOO_LONG.slice(1)]) {
    for (const { operation, call } of calls(handles)) {
      const error = await rejection(() => call({ host, port: 80 }), "HostNotFound", operation);
      assertEquals(error.address, { host, port: 80 });
    }
  }
  await handles.prove();
});

Deno.test("E8: ::ffff:127.0.0.1 is 127.0.0.1 in every function that takes an address", async () => {
  assertEquals(parseAddress("[::ffff:127.0.0.1]:80"), { host: "127.0.0.1", port: 80 });
  const host = "::ffff:127.0.0.1";
  await using listener = await listen({ host, port: 0 });
  assertEquals(listener.address.host, "127.0.0.1");
  const [client, server] = await Promise.all([
    connect({ host, port: listener.address.port }),
    accept(listener),
  ]);
  assertEquals(client.remoteAddress, listener.address);
  assertEquals(server.remoteAddress, client.localAddress);
  abort(client);
  abort(server);
});

Deno.test("E1: a message about an address says what would be right", async () => {
  await using handles = await openHandles();
  const messages: readonly (readonly [address: unknown, part: string])[] = [
    ["127.0.0.1:80", 'the address is "127.0.0.1:80", not an object { host, port }; parseAddress()'],
    [{ hostname: "127.0.0.1", port: 80 }, "has hostname, not host: write { host, port }"],
    [{ port: 80 }, "host is undefined, not a string"],
    [
      { host: "127.0.0.1:80", port: 80 },
      'host "127.0.0.1:80" has a port, and a port goes into port',
    ],
    [{ host: "example.com:80", port: 80 }, "has a port, and a port goes into port"],
    [
      { host: "http://example.com", port: 80 },
      'host "http://example.com" has a scheme, write the host alone',
    ],
    [{ host: "tcp://[::1]:80/", port: 80 }, "has a scheme, write the host alone"],
    [{ host: "example.com/path", port: 80 }, "has a slash, write the host alone"],
    [{ host: "10.0.0.0/8", port: 80 }, "has a slash, write the host alone"],
    [{ host: "127.0.0.1", port: "80" }, 'port is "80", not a whole number from'],
    [{ host: "127.0.0.1" }, "port is undefined, not a whole number from"],
  ];
  for (const [address, part] of messages) {
    for (const { operation, call } of calls(handles)) {
      const { message } = await rejection(
        () => call(address as Address),
        "InvalidInput",
        operation,
      );
      assert(message.includes(part), message);
    }
  }
  await handles.prove();
});

Deno.test("E9: no address goes without its host, and the error names host", async () => {
  await using handles = await openHandles();
  for (const address of [{ port: 80 }, { host: "", port: 80 }, { host: undefined, port: 80 }]) {
    for (const { operation, call } of calls(handles)) {
      const { message } = await rejection(
        () => call(address as Address),
        "InvalidInput",
        operation,
      );
      assert(message.startsWith(`${operation}: host is `), message);
    }
  }
  await handles.prove();
});
