import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import {
  formatAddress,
  parseAddress,
  parseSocketAddress,
  type SocketAddress,
  SocketError,
} from "../../../mod.ts";
import { thrown } from "../../support/socket_errors.ts";

const PAIRS: readonly (readonly [text: string, address: SocketAddress])[] = [
  ["unix:/run/app.sock", { path: "/run/app.sock" }],
  ["unix:app.sock", { path: "app.sock" }],
  ["unix:./80", { path: "./80" }],
  ["unix:a b:c@d%20", { path: "a b:c@d%20" }],
  ["unix:@app", { path: "\0app" }],
  ["unix:@@", { path: "\0@" }],
  ["unix:", { path: "" }],
  ["unix:80", { host: "unix", port: 80 }],
  ["127.0.0.1:80", { host: "127.0.0.1", port: 80 }],
  ["[::1]:0", { host: "::1", port: 0 }],
  ["example.com:443", { host: "example.com", port: 443 }],
];

for (const [text, address] of PAIRS) {
  Deno.test(`E8: ${text} is one address in both directions`, () => {
    const parsed = parseSocketAddress(text);
    assertEquals(parsed, address);
    assert(Object.isFrozen(parsed));
    assertEquals(formatAddress(address), text);
  });
}

Deno.test("E8: other spellings of a path are read, and written in one way", () => {
  assertEquals(parseSocketAddress("unix:///run/app.sock"), { path: "/run/app.sock" });
  assertEquals(formatAddress({ path: "///run/app.sock" }), "unix:/run/app.sock");
  assertEquals(formatAddress({ path: "@app" }), "unix:./@app");
  assertEquals(formatAddress({ path: "80" }), "unix:./80");
});

Deno.test("E1: parseSocketAddress() throws InvalidInput for anything but an address", () => {
  const operation = "parseSocketAddress";
  const long = "é".repeat(53);
  assertEquals(parseSocketAddress(`unix:${long}x`), { path: `${long}x` });
  assertEquals(parseSocketAddress(`unix:@${long}x`), { path: `\0${long}x` });
  const bad = [
    ...["", "unix", "unix/run", "UNIX:/run", "unix:@", "unix://run/app.sock", "unix:a\0b"],
    ...["unix:\0a", "unix:@a\0", `unix:${long}xx`, `unix:@${long}xx`, "unix:\ud800", "127.0.0.1"],
    ...["unix:65536", "unix:080"],
  ];
  for (const text of bad) thrown(() => parseSocketAddress(text), "InvalidInput", operation);
  for (const value of [undefined, null, 5, {}, ["unix:/a"], Symbol()]) {
    thrown(() => parseSocketAddress(value as string), "InvalidInput", operation);
  }
  const { message } = thrown(
    () => parseSocketAddress(`unix:${"x\n".repeat(99_999)}`),
    "InvalidInput",
    operation,
  );
  assertMatch(message, /^.{1,400}$/);
});

Deno.test("E1: an error about a text says how an address is written", () => {
  const plain = "write host:port, with an IPv6 host in brackets";
  const messages: readonly (readonly [text: string, either: string, hostOnly: string])[] = [
    ["localhost", plain, plain],
    ["::1:80", plain, plain],
    [
      "http://example.com",
      "write host:port, without a scheme",
      "write host:port, without a scheme",
    ],
    ["TCP://1.2.3.4:80", "write host:port, without a scheme", "write host:port, without a scheme"],
    ...["/run/app.sock", "./app.sock", "UNIX:/run/app.sock"].map((text) =>
      [
        text,
        `${plain}, or unix:/path for a Unix socket`,
        `${plain}; parseSocketAddress() reads a path as unix:/path`,
      ] as const
    ),
  ];
  for (const [text, either, hostOnly] of messages) {
    const reason = (read: (text: string) => unknown, operation: string) =>
      thrown(() => read(text), "InvalidInput", operation).reason;
    const begin = `${JSON.stringify(text)} is not an address: `;
    assertEquals(reason(parseSocketAddress, "parseSocketAddress"), begin + either);
    assertEquals(reason(parseAddress, "parseAddress"), begin + hostOnly);
  }
  const nameless = thrown(() => parseSocketAddress("unix:@"), "InvalidInput", "parseSocketAddress");
  assertEquals(nameless.reason, '"unix:@" has no name behind the @');
});

Deno.test("E1: parseAddress() refuses the path of a Unix socket", () => {
  for (const text of ["unix:/run/app.sock", "unix:@app", "unix:"]) {
    thrown(() => parseAddress(text), "InvalidInput", "parseAddress");
  }
});

Deno.test("E1: formatAddress() throws InvalidInput for what is no address of either kind", () => {
  const addresses: unknown[] = [
    ...[{ path: 5 }, { path: null }, { path: "a\0b" }, { path: "\0" }, { path: "x".repeat(108) }],
    ...[{ path: "/a", host: "::1", port: 1 }, { path: "/a", port: 1 }, { path: "/a", host: "a" }],
    {
      get path() {
        throw new Error("no path");
      },
    },
  ];
  for (const address of addresses) {
    thrown(() => formatAddress(address as SocketAddress), "InvalidInput", "formatAddress");
  }
});

Deno.test("E8: each path that can be written is read as a path of the same file", () => {
  const character = fc.constantFrom("/", ".", "@", ":", "8", "a", "é", "\n", "%", "\u{1f600}");
  fc.assert(
    fc.property(fc.string({ unit: character, maxLength: 20 }), fc.boolean(), (name, abs) => {
      const path = abs && name !== "" ? `\0${name}` : name;
      const back = parseSocketAddress(formatAddress({ path }));
      assert(back.host === undefined);
      const same = [path, path.replace(/^\/\/+/, "/"), `./${path}`];
      assert(
        same.includes(back.path),
        `${JSON.stringify(path)} became ${JSON.stringify(back.path)}`,
      );
      assertEquals(parseSocketAddress(formatAddress(back)), back);
    }),
  );
});

Deno.test("E2: a message names a Unix socket on one line", () => {
  const message = (path: string) =>
    new SocketError("Other", "connect", "a reason", { address: { path } }).message;
  assertEquals(message("/run/app.sock"), "connect unix:/run/app.sock: a reason");
  assertEquals(message("\0app"), "connect unix:@app: a reason");
  assertEquals(message("/a\nb\x1b[2J\u202e"), "connect unix:/a\ufffdb\ufffd[2J\ufffd: a reason");
});
