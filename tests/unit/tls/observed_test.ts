import { assert, assertEquals } from "@std/assert";
import {
  abort,
  accept,
  close,
  connect,
  connectTls,
  listen,
  listenTls,
  observe,
  type ObservedHandshake,
  send,
  startTls,
} from "../../../mod.ts";
import { testAuthority } from "../../support/tls_kinds.ts";

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const { ca, server: { cert, key } } = await testAuthority();
const clientOptions = { caCerts: [ca.cert], serverName: "server.test" };

Deno.test("observe hears of the handshakes of both sides, well or not", async () => {
  const events: ObservedHandshake[] = [];
  const failed = Promise.withResolvers<ObservedHandshake>();
  using _observing = observe({
    handshake: (event) => {
      events.push(event);
      if (event.error !== undefined) failed.resolve(event);
    },
  });
  await using listener = await listenTls(LOOPBACK, { cert, key });
  const near = await connectTls(listener.address, clientOptions);
  const far = await accept(listener);
  assertEquals(new Set(events.map(({ connection }) => connection)), new Set([near, far]));
  for (const { protocol, duration, error } of events) {
    assertEquals([protocol, error], ["tls", undefined]);
    assert(duration >= 0);
  }
  await Promise.all([close(near), close(far)]);

  const plain = await connect(listener.address);
  await send(plain, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
  const { connection, error } = await failed.promise;
  assertEquals(error?.kind, "TlsFailed");
  assertEquals(connection.remoteAddress, plain.localAddress);
  abort(plain);
});

Deno.test("observe hears of connectTls as of connect, and of startTls as of a handshake", async () => {
  const connects: (string | undefined)[] = [];
  const handshakes: (string | undefined)[] = [];
  using _observing = observe({
    connect: ({ error }) => connects.push(error?.kind),
    handshake: ({ error }) => handshakes.push(error?.kind),
  });
  await using listener = await listenTls(LOOPBACK, { cert, key });
  const near = await connectTls(listener.address, clientOptions);
  const far = await accept(listener);
  const error = await connectTls(listener.address, { ...clientOptions, serverName: "other.test" })
    .catch((error) => error);
  assertEquals(error.kind, "CertificateRejected");
  assertEquals(connects, [undefined, "CertificateRejected"]);
  await Promise.all([close(near), close(far)]);

  await using plain = await listen(LOOPBACK);
  const [one, other] = await Promise.all([connect(plain.address), accept(plain)]);
  const before = handshakes.filter((kind) => kind === undefined).length;
  const [client, server] = await Promise.all([
    startTls(one, { role: "client", ...clientOptions }),
    startTls(other, { role: "server", cert, key }),
  ]);
  assertEquals(handshakes.filter((kind) => kind === undefined).length, before + 2);
  await Promise.all([close(client), close(server)]);
});
