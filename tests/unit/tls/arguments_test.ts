import { assertEquals, assertMatch } from "@std/assert";
import {
  abort,
  accept,
  close,
  closeListener,
  connect,
  connectTls,
  listen,
  listenTls,
  recv,
  send,
  startTls,
} from "../../../mod.ts";
import { element, makeCertificate, sequence } from "../../support/certificates.ts";
import { rejection } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { testAuthority } from "../../support/tls_kinds.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server, client } = await testAuthority();
const { cert, key } = server;
const old = await makeCertificate({ subject: "old", version: 1 });
// The number 1 has one form in DER: other readers could take this one for something else.
const longNumber = await makeCertificate({
  subject: "long",
  authority: "missing",
  extensions: [[
    "2.5.29.19",
    sequence(element(0x01, new Uint8Array([255])), element(0x02, new Uint8Array([0, 1]))),
    true,
  ]],
});
const NO_PEM = "MIIB";
const JUNK = "-----BEGIN CERTIFICATE-----\nMIIBjunk\n-----END CERTIFICATE-----\n";

/** Options that each role refuses, and the words of the refusal. */
const BOTH: readonly (readonly [options: object, words: RegExp])[] = [
  [{ alpnProtocols: "h2" }, /alpnProtocols is "h2", not an array/],
  [{ alpnProtocols: [""] }, /alpnProtocols has "", a protocol is 1 to 255/],
  [{ alpnProtocols: ["x".repeat(256)] }, /a protocol is 1 to 255/],
  [{ alpnProtocols: ["é"] }, /visible ASCII/],
  [{ alpnProtocols: [2] }, /alpnProtocols has 2/],
  [{ handshakeTimeout: 0 }, /handshakeTimeout is 0/],
  [{ handshakeTimeout: NaN }, /handshakeTimeout is NaN/],
  [{ handshakeTimeout: "1" }, /handshakeTimeout is "1"/],
  [{ key: undefined, cert }, /key is missing/],
  [{ cert: undefined, key }, /cert is missing/],
  [{ cert: "server.pem", key }, /"server.pem" looks like a path/],
  [{ cert: 5, key }, /cert is not a string/],
  [{ cert: key, key }, /cert has no certificate/],
  [{ cert: JUNK, key }, /cert has a certificate that is malformed/],
  [{ cert: old.cert, key: old.key }, /not of X.509 version 3/],
  [{ cert, key: NO_PEM }, /key is not PEM text/],
  [{ cert, key: cert }, /key is not a private key/],
  [{ cert, key: client.key }, /key does not belong to cert/],
  [{ cert, key: key.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY") }, /key is encrypted/],
];
const CLIENT: typeof BOTH = [
  [{ caCerts: "pem" }, /caCerts is "pem", not an array/],
  [{ caCerts: [] }, /caCerts is empty/],
  [{ caCerts: [ca.cert, NO_PEM] }, /caCerts\[1\] is not PEM text/],
  [{ caCerts: [key] }, /caCerts\[0\] has no certificate/],
  [{ caCerts: [JUNK] }, /caCerts\[0\] has a certificate that is malformed/],
  [{ caCerts: [old.cert] }, /caCerts\[0\] has a certificate that is not of X.509 version 3/],
  [{ caCerts: [longNumber.cert] }, /caCerts\[0\] has a certificate that is malformed/],
  [{ caCerts: [undefined] }, /caCerts\[0\] is not a string/],
  [{ serverName: "" }, /serverName is empty/],
  [{ serverName: "a b" }, /serverName "a b" is not a host name/],
  [{ serverName: "[::1]" }, /serverName "\[::1\]" has brackets/],
  [{ serverName: 5 }, /serverName is 5, not a string/],
];
const SERVER: typeof BOTH = [
  [{ clientCaCerts: [] }, /clientCaCerts is empty/],
  [{ clientCaCerts: ca.cert }, /clientCaCerts is .*, not an array/],
  [{ clientCaCerts: [old.cert] }, /clientCaCerts\[0\] has a certificate that is not of X.509/],
  [{ certificateFor: {} }, /certificateFor is .*, not a function/],
];

Deno.test("E1: connectTls() calls bad options InvalidInput before any I/O", async () => {
  // Nobody listens on this port, and a connection would be refused.
  const listener = await listen(LOOPBACK);
  await closeListener(listener);
  for (const [options, words] of [...BOTH, ...CLIENT]) {
    const call = () => connectTls(listener.address, options);
    const error = await rejection(call, "InvalidInput", "connectTls");
    assertMatch(error.message, words);
  }
  for (const address of [null, "127.0.0.1:1", { host: "", port: 1 }, { host: "a", port: 0 }]) {
    await rejection(() => connectTls(address as never), "InvalidInput", "connectTls");
  }
});

Deno.test("E1: listenTls() calls bad options InvalidInput before any I/O", async () => {
  // The address is taken, which would be another error.
  await using listener = await listen(LOOPBACK);
  for (const [options, words] of [...BOTH, ...SERVER]) {
    const call = () => listenTls(listener.address, { cert, key, ...options });
    const error = await rejection(call, "InvalidInput", "listenTls");
    assertMatch(error.message, words);
  }
  for (const options of [undefined, null, {}, [], { cert, key, backlog: 0 }]) {
    await rejection(
      () => listenTls(listener.address, options as never),
      "InvalidInput",
      "listenTls",
    );
  }
  await rejection(() => listenTls(listener.address, { cert, key }), "AddressInUse", "listenTls");
});

Deno.test("E1: startTls() calls bad options InvalidInput, and the connection lives on", async () => {
  await using pair = await tcpPair();
  const rows = [
    ...[...BOTH, ...CLIENT].map(([options, words]) => [{ role: "client", ...options }, words]),
    ...[...BOTH, ...SERVER].map((
      [options, words],
    ) => [{ role: "server", cert, key, ...options }, words]),
    [{ cert, key }, /role is undefined, not "client" or "server"/],
    [{ role: "both", cert, key }, /role is "both"/],
    [undefined, /role is undefined/],
    [null, /options is null/],
  ] as const;
  for (const [options, words] of rows) {
    const call = () => startTls(pair.client, options as never);
    const error = await rejection(call, "InvalidInput", "startTls");
    assertMatch(error.message, words as RegExp);
  }
  const wrong = () => startTls({} as never, { role: "client" });
  await rejection(wrong, "InvalidInput", "startTls");
  await send(pair.client, new Uint8Array([1]));
  assertEquals(await recv(pair.server), new Uint8Array([1]));
  await Promise.all([close(pair.client), close(pair.server)]);
});

Deno.test("E10: the functions of TLS say InvalidInput, Closed, Aborted, TimedOut in this order", async () => {
  const signal = AbortSignal.abort();
  const bad = { caCerts: [] };
  const target = { host: "127.0.0.1", port: 9 };
  const aborted = { signal, timeout: 0 };
  await rejection(() => connectTls(target, { ...aborted, ...bad }), "InvalidInput", "connectTls");
  await rejection(() => connectTls(target, aborted), "Aborted", "connectTls");
  await rejection(() => connectTls(target, { timeout: 0 }), "TimedOut", "connectTls");
  await using pair = await tcpPair();
  const start = (options: object) => () => startTls(pair.client, { role: "client", ...options });
  await rejection(start({ ...aborted, ...bad }), "InvalidInput", "startTls");
  await rejection(start(aborted), "Aborted", "startTls");
  await rejection(start({ timeout: 0 }), "TimedOut", "startTls");
  const receiving = recv(pair.client);
  await rejection(start(aborted), "Aborted", "startTls");
  await rejection(start({}), "Busy", "startTls");
  await send(pair.server, new Uint8Array([1]));
  assertEquals(await receiving, new Uint8Array([1]));
  abort(pair.client);
  await rejection(start({ ...aborted, ...bad }), "InvalidInput", "startTls");
  await rejection(start(aborted), "Closed", "startTls");
});

Deno.test("E4: a handshake that waits ends with signal, timeout and handshakeTimeout", async () => {
  await using listener = await listen(LOOPBACK);
  const own = { cert: client.cert, key: client.key };
  for (const certificate of [{}, own]) {
    const controller = new AbortController();
    const waiting = connectTls(listener.address, { ...certificate, signal: controller.signal });
    const peer = await accept(listener);
    controller.abort();
    await rejection(() => waiting, "Aborted", "connectTls");
    const late = connectTls(listener.address, { ...certificate, timeout: 20 });
    await rejection(() => late, "TimedOut", "connectTls");
    const slow = connectTls(listener.address, { ...certificate, handshakeTimeout: 20 });
    const error = await rejection(() => slow, "TimedOut", "connectTls");
    assertMatch(error.message, /the handshake was not done within 20 ms/);
    for (const other of [peer, await accept(listener), await accept(listener)]) abort(other);
  }
});

Deno.test("E4: a startTls that waits ends with signal and timeout, and its connection is Closed", async () => {
  for (const role of ["client", "server"] as const) {
    for (const cancel of ["signal", "timeout"] as const) {
      await using pair = await tcpPair();
      const controller = new AbortController();
      const options = cancel === "signal" ? { signal: controller.signal } : { timeout: 20 };
      const starting = startTls(pair.client, { role, cert, key, ...options });
      starting.catch(() => {});
      // A server says nothing first, a client does.
      if (role === "client") assertEquals((await recv(pair.server))?.[0], 22);
      controller.abort();
      const kind = cancel === "signal" ? "Aborted" : "TimedOut";
      await rejection(() => starting, kind, "startTls");
      await rejection(() => recv(pair.client), "Closed", "recv");
      abort(pair.server);
    }
  }
});

Deno.test("C1: a cancelled connectTls ends its connection, if the peer goes as well", async () => {
  await using listener = await listen(LOOPBACK);
  const waiting = connectTls(listener.address, { timeout: 20, cert: client.cert, key: client.key });
  const peer = await accept(listener);
  await rejection(() => waiting, "TimedOut", "connectTls");
  while (await recv(peer).catch(() => null) !== null);
  await close(peer);
  await rejection(() => connect({ host: "127.0.0.1", port: 1 }), "ConnectionRefused", "connect");
});
