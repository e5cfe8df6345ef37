import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { heartbeat, keepConnected, recvLine, send, SocketError } from "../../../mod.ts";
import { observedEvents } from "../../support/observed_events.ts";
import { serving, until, untilEnd } from "../../support/serving.ts";
import { soon } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

Deno.test("X4: a link whose peer falls silent gets TimedOut, and its next connection has a heartbeat of its own", async () => {
  using events = observedEvents();
  let served = 0;
  await using side = await serving(async (connection) => {
    served += 1;
    if (served === 1) return await untilEnd(connection);
    while (await recvLine(connection) !== null) await send(connection, bytesOf("PONG\n"));
  });
  const lastErrors: unknown[] = [];
  let pongs = 0;
  const link = keepConnected(
    side.server.address,
    async (connection, { ready, signal, lastError }) => {
      lastErrors.push(lastError);
      const timeout = lastErrors.length === 1 ? 20 : 10_000;
      const ping = () => send(connection, bytesOf("PING\n"));
      using _heart = heartbeat(connection, { interval: 20, timeout, ping });
      ready();
      while (await recvLine(connection, { signal }) !== null) pongs += 1;
    },
    { backoff: { first: 1 } },
  );
  await until(() => pongs >= 3, "the second connection is alive");
  const [first, second, ...more] = lastErrors;
  assertEquals([first, more], [undefined, []]);
  assertInstanceOf(second, SocketError);
  assertEquals([second.kind, second.operation], ["TimedOut", "recvLine"]);
  await soon(link.close());
  // Both ends of both connections are observed, those of a link as any other.
  await until(() => events.of("close").length === 4, "all are closed");
  assertEquals(events.of("connect").length, 2);
  const ownEnds = events.of("close").filter(({ connection }) =>
    events.of("connect").some((event) => event.connection === connection)
  );
  assertEquals(ownEnds.map(({ error }) => error?.kind), ["TimedOut", undefined]);
  assert(events.of("close").every(({ duration }) => duration > 0));
});
