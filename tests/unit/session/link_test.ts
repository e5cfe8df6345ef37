import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  abort,
  connect,
  type Connection,
  keepConnected,
  listen,
  recv,
  recvLine,
  send,
  SocketError,
  type SocketErrorKind,
} from "../../../mod.ts";
import { ENDPOINT, fixedRandom, refused, scriptedLink } from "../../support/scripted_link.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { Arrivals, serving } from "../../support/serving.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf, shown } from "../../support/text.ts";
import { isPending, turns } from "../../support/turns.ts";
import { watchUnhandled } from "../../support/unhandled.ts";

Deno.test("a link connects over TCP at once, and again when the server has ended the connection", async () => {
  await using server = await serving(async (connection) => {
    await send(connection, bytesOf("welcome\n"));
    await recvLine(connection);
  });
  const greetings = new Arrivals<string | null>();
  await using link = keepConnected(server.server.address, async (connection, { ready, signal }) => {
    greetings.push(await recvLine(connection, { signal }));
    ready();
    while (await recv(connection, { signal }) !== null);
  }, { backoff: { first: 1 } });
  for (let session = 0; session < 3; session++) {
    assertEquals(await soon(greetings.next()), "welcome");
    const connection = await soon(link.up());
    await send(connection, bytesOf("bye\n"));
    assertEquals(connection.remoteAddress, server.server.address);
  }
});

Deno.test("a link connects again when a server comes back on its port", async () => {
  const listener = await listen({ host: "127.0.0.1", port: 0 });
  const { address } = listener;
  await listener[Symbol.asyncDispose]();
  const failures = new Arrivals<unknown>();
  await using link = keepConnected(address, async (connection, { ready }) => {
    ready();
    while (await recv(connection) !== null);
  }, {
    backoff: { first: 1, longest: 20 },
    retry(error) {
      failures.push(error);
      return true;
    },
  });
  const refusal = await soon(failures.next()) as SocketError;
  assertEquals([refusal.kind, refusal.operation], ["ConnectionRefused", "connect"]);
  const waiting = link.up();
  await using _again = await listen(address);
  assertEquals((await soon(waiting)).remoteAddress, address);
  assertEquals(link.state, "ready");
  await link.close({ linger: 0 });
});

Deno.test("states follow each other as the link connects, is ready, waits and ends", async () => {
  using _random = fixedRandom(0.5);
  await using scripted = scriptedLink();
  const { link, time } = scripted;
  assertEquals(link.state, "connecting");
  (await scripted.nextConnect()).fail(refused());
  await time.pass(1000);
  const { end } = await scripted.nextReady();
  end();
  await time.pass(1000);
  await scripted.nextReady();
  await scripted.close({ linger: 0 });
  assertEquals(scripted.states, [
    ...["waiting", "connecting", "ready", "waiting", "connecting", "ready", "ended"],
  ]);
  assertEquals(link.state, "ended");
});

Deno.test("a session that returns is over: its connection delivers what was sent, and is closed", async () => {
  await using scripted = scriptedLink();
  const { peer, connection, end, context } = await scripted.nextReady();
  const sent = send(connection, bytesOf("last words"));
  end();
  await turns();
  await sent;
  assertEquals([peer.received, peer.closed], ["last words", true]);
  assert(context.signal.aborted);
  assertEquals((context.signal.reason as SocketError).kind, "Closed");
  assertEquals(scripted.link.state, "waiting");
});

Deno.test("a session that throws is over: its connection is aborted, and the error is the last one", async () => {
  for (const thrown of [new Error("lost my way"), "a string", undefined, null, { odd: true }]) {
    const asked: unknown[] = [];
    await using scripted = scriptedLink({
      retry(error) {
        asked.push(error);
        return true;
      },
    });
    const { peer, fail } = await scripted.nextReady();
    peer.answersEnd = false;
    fail(thrown);
    await turns();
    assert(peer.closed);
    assertEquals(scripted.link.state, "waiting");
    assertStrictEquals(scripted.link.lastError, thrown);
    assertEquals(asked.length, 1);
    assertStrictEquals(asked[0], thrown);
    await scripted.time.pass(100);
    const next = await scripted.nextReady();
    assertStrictEquals(next.context.lastError, thrown);
    assertEquals([next.context.attempt, next.context.endpoint], [2, ENDPOINT]);
  }
});

Deno.test("X3: the next attempt begins only after the session before has ended and its connection is closed", async () => {
  await using scripted = scriptedLink({ backoff: { first: 0 } });
  const { peer, end } = await scripted.nextReady();
  peer.answersEnd = false;
  end();
  await scripted.time.pass(999);
  assertEquals([scripted.connects.length, scripted.link.state], [1, "waiting"]);
  await scripted.time.pass(2);
  assertEquals(peer.closed, true);
  await scripted.time.pass(0);
  assertEquals(scripted.connects.length, 2);
});

Deno.test("a peer that takes nothing after the session returned is the last error, TimedOut", async () => {
  await using scripted = scriptedLink();
  const { peer, connection, end } = await scripted.nextReady();
  peer.write = () => new Promise(() => {});
  const sent = send(connection, bytesOf("never taken")).catch((error) => error);
  end();
  await scripted.time.pass(30_000);
  assertEquals((await sent).kind, "Closed");
  const { kind, operation } = scripted.link.lastError as SocketError;
  assertEquals([kind, operation], ["TimedOut", "close"]);
});

Deno.test("X3: the handshake timeout covers connecting, and a connection that comes late is aborted", async () => {
  await using scripted = scriptedLink({ handshakeTimeout: 1000 });
  const call = await scripted.nextConnect();
  await scripted.time.pass(999);
  assertEquals(call.signal.aborted, false);
  await scripted.time.pass(1);
  assertEquals(call.signal.aborted, true);
  const { kind, operation, message } = scripted.link.lastError as SocketError;
  assertEquals([kind, operation], ["TimedOut", "keepConnected"]);
  assertEquals(message, "keepConnected 192.0.2.1:7777: not ready within 1000 ms");
  assertStrictEquals(call.signal.reason, scripted.link.lastError);
  const peer = call.accept();
  await turns();
  assertEquals(peer.closed, true);
  assertEquals(scripted.sessions.length, 0);
});

Deno.test("X3: the handshake timeout covers the time until ready(): the signal aborts, and so does the connection", async () => {
  await using scripted = scriptedLink({ handshakeTimeout: 1000, stableAfter: 0 });
  const call = await scripted.nextConnect();
  await scripted.time.pass(600);
  const peer = call.accept();
  const { context, connection, fail } = await scripted.nextSession();
  const hello = recv(connection, { signal: context.signal });
  hello.catch(() => {});
  await scripted.time.pass(399);
  assertEquals(context.signal.aborted, false);
  await scripted.time.pass(1);
  const { kind } = context.signal.reason as SocketError;
  assertEquals(kind, "TimedOut");
  const { cause } = await rejection(() => hello, "Aborted", "recv");
  assertStrictEquals(cause, context.signal.reason);
  assertEquals(peer.closed, true);
  // It comes too late, and an error that follows from the timeout is not the last one.
  context.ready();
  fail(new Error("what now?"));
  await turns();
  assertEquals(scripted.link.state, "waiting");
  assertStrictEquals(scripted.link.lastError, context.signal.reason);
});

Deno.test("after ready() a session may be silent for as long as it likes", async () => {
  await using scripted = scriptedLink({ handshakeTimeout: 1000 });
  const { context } = await scripted.nextReady();
  await scripted.time.pass(10_000_000);
  assertEquals([context.signal.aborted, scripted.link.state], [false, "ready"]);
  assertEquals(scripted.time.running, 0);
});

Deno.test("without a handshake timeout an attempt may take for ever, and close() ends it", async () => {
  await using scripted = scriptedLink({ handshakeTimeout: Infinity });
  const call = await scripted.nextConnect();
  await scripted.time.pass(10_000_000);
  assertEquals(call.signal.aborted, false);
  await soon(scripted.close());
  assertEquals(call.signal.aborted, true);
});

Deno.test("ready() works once: again, late, or on a connection that is lost, it does nothing", async () => {
  await using scripted = scriptedLink();
  const first = await scripted.nextReady();
  first.context.ready();
  first.end();
  await turns();
  first.context.ready();
  assertEquals(scripted.link.state, "waiting");
  await scripted.time.pass(100);

  (await scripted.nextConnect()).accept();
  const second = await scripted.nextSession();
  abort(second.connection);
  second.context.ready();
  first.context.ready();
  await turns();
  assertEquals(scripted.states.filter((state) => state === "ready").length, 1);
  second.end();
  await turns();
  await scripted.close({ linger: 0 });
  second.context.ready();
  assertEquals(scripted.link.state, "ended");
});

Deno.test("X3: a session whose connection was closed by somebody has its signal aborted, and its link goes on", async () => {
  await using scripted = scriptedLink({ backoff: { first: 0 } });
  const { context, end } = await scripted.nextReady();
  abort(await scripted.link.up());
  const next = scripted.link.up();
  await turns();
  assertEquals([scripted.link.state, context.signal.aborted], ["waiting", true]);
  assertEquals(scripted.connects.length, 1);
  end();
  await turns();
  await scripted.time.pass(0);
  const { connection } = await scripted.nextReady();
  assertStrictEquals(await soon(next), connection);
});

Deno.test("a session that waits on its signal alone ends with the reason why its connection was closed", async () => {
  await using scripted = scriptedLink();
  const { context, connection, fail } = await scripted.nextReady();
  context.signal.addEventListener("abort", () => {
    recv(connection, { signal: context.signal }).catch(fail);
  });
  abort(connection);
  await turns();
  // The receive says Closed of its own.
  assertEquals((scripted.link.lastError as SocketError).kind, "Closed");
});

Deno.test("X3: a session may receive what came before its connection broke, and its signal stays quiet meanwhile", async () => {
  await using scripted = scriptedLink({ handshakeTimeout: 1000, backoff: { first: 0 } });
  const { context, connection, peer, fail } = await scripted.nextReady();
  const received = recv(connection);
  peer.reset();
  await rejection(() => received, "ConnectionReset", "recv");
  await turns();
  assertEquals([scripted.link.state, context.signal.aborted], ["waiting", false]);
  await scripted.time.pass(999);
  assertEquals([context.signal.aborted, scripted.connects.length], [false, 1]);
  fail(new Error("enough"));
  await turns();
  await scripted.time.pass(0);
  assertEquals(scripted.connects.length, 2);
});

for (const how of ["broken by a send", "closed"] as const) {
  Deno.test(`X3: a session that never returns does not keep its link for ever if its connection is ${how}`, async () => {
    await using scripted = scriptedLink({ handshakeTimeout: 1000, backoff: { first: 0 } });
    const { connection, context, peer } = await scripted.nextReady();
    if (how === "closed") abort(connection);
    else {
      peer.reset();
      await rejection(() => send(connection, bytesOf("x")), "ConnectionReset", "send");
    }
    await scripted.time.pass(1000);
    await scripted.time.pass(how === "closed" ? 0 : 1000);
    assertEquals(context.signal.aborted, true);
    assertEquals((scripted.link.lastError as SocketError).kind, "Closed");
    const next = await scripted.nextReady();
    assertEquals(scripted.link.state, "ready");
    // The session that was left behind has no say any more.
    context.ready();
    scripted.sessions[0].fail(new Error("late"));
    await turns();
    assertEquals([scripted.link.state, next.context.signal.aborted], ["ready", false]);
  });
}

Deno.test("X3: a session that ignores its signal after the handshake timeout holds the link up for a second", async () => {
  await using scripted = scriptedLink({ handshakeTimeout: 500, backoff: { first: 0 } });
  (await scripted.nextConnect()).accept();
  await scripted.nextSession();
  await scripted.time.pass(500);
  await scripted.time.pass(999);
  assertEquals(scripted.connects.length, 1);
  await scripted.time.pass(1);
  await scripted.time.pass(0);
  assertEquals(scripted.connects.length, 2);
});

Deno.test("what connect throws, rejects with or gives goes to retry", async () => {
  const errors: unknown[] = [];
  const trouble = new RangeError("from connect");
  const answers = [
    () => {
      throw trouble;
    },
    () => Promise.reject(trouble),
    () => undefined,
    () => Promise.resolve({}),
    () => "a connection",
  ];
  await using scripted = scriptedLink({
    backoff: { first: 0 },
    connect: () => answers[errors.length]() as unknown as Connection,
    retry(error) {
      errors.push(error);
      return errors.length < answers.length;
    },
  });
  for (const _ of answers) await scripted.time.pass(0);
  assertEquals(errors.slice(0, 2), [trouble, trouble]);
  for (const error of errors.slice(2)) {
    assert(error instanceof SocketError);
    assertEquals([error.kind, error.operation], ["InvalidInput", "keepConnected"]);
  }
  assertEquals(scripted.finished(), [errors.at(-1)]);
});

const HOPELESS: readonly SocketErrorKind[] = ["InvalidInput", "PermissionDenied", "Unsupported"];
const HOPEFUL: readonly SocketErrorKind[] = [
  ...["HostNotFound", "ConnectionRefused", "ConnectionReset", "BrokenPipe", "Unreachable"],
  ...["AddressNotAvailable", "TimedOut", "Aborted", "Closed", "Busy", "UnexpectedEof"],
  ...["InvalidData", "TooLarge", "QueueFull", "ResourceExhausted", "Other"],
] as SocketErrorKind[];

Deno.test("X2: by default a link ends at errors that no attempt can change, and at no others", async () => {
  for (const kind of [...HOPELESS, "CertificateRejected" as SocketErrorKind]) {
    for (const from of ["connect", "session"]) {
      await using scripted = scriptedLink();
      const error = new SocketError(kind, "connect", "no");
      if (from === "connect") (await scripted.nextConnect()).fail(error);
      else (await scripted.nextReady()).fail(error);
      await turns();
      assertEquals(scripted.finished(), [error], `${kind} of ${from}`);
      assertEquals(scripted.link.state, "ended");
    }
  }
  for (const error of [...HOPEFUL.map((kind) => new SocketError(kind, "recv", "")), "any", 5]) {
    await using scripted = scriptedLink();
    (await scripted.nextReady()).fail(error);
    await turns();
    assertEquals(scripted.link.state, "waiting", String(error));
  }
});

Deno.test("X2: an answer of retry that is a promise is awaited", async () => {
  for (const [answer, ends] of [[true, false], [false, true]] as const) {
    const asked = Promise.withResolvers<boolean>();
    await using scripted = scriptedLink({ retry: () => asked.promise });
    (await scripted.nextConnect()).fail(refused());
    await turns();
    assertEquals([scripted.link.state, scripted.time.running], ["connecting", 0]);
    asked.resolve(answer);
    await turns();
    assertEquals(scripted.link.state, ends ? "ended" : "waiting");
  }
});

Deno.test("X2: a retry that throws, rejects, or answers neither true nor false ends the link and says so", async () => {
  const mistake = new Error("a mistake in retry");
  const retries = [
    () => {
      throw mistake;
    },
    () => Promise.reject(mistake),
  ];
  for (const retry of retries) {
    await using scripted = scriptedLink({ retry });
    (await scripted.nextConnect()).fail(refused());
    await turns();
    assertEquals(scripted.finished(), [mistake]);
    assertStrictEquals(scripted.link.lastError, mistake);
  }
  for (const answer of [undefined, null, "yes", 1, {}, Promise.resolve(undefined)]) {
    await using scripted = scriptedLink({ retry: (() => answer) as never });
    const refusal = refused();
    (await scripted.nextConnect()).fail(refusal);
    await turns();
    const [error] = scripted.finished() as [SocketError];
    assertEquals(error.kind, "InvalidInput");
    assertStrictEquals(error.cause, refusal);
  }
});

Deno.test("X2: attempts are counted in a row: the last one ends the link with its error", async () => {
  await using scripted = scriptedLink({ attempts: 3, stableAfter: 1000 });
  for (let attempt = 1; attempt <= 2; attempt++) {
    (await scripted.nextConnect()).fail(refused());
    await scripted.time.pass(1000);
  }
  // A stable session begins the count anew.
  const { end } = await scripted.nextReady();
  await scripted.time.pass(1000);
  end();
  await scripted.time.pass(1000);
  for (let attempt = 1; attempt <= 2; attempt++) {
    (await scripted.nextConnect()).fail(refused());
    await scripted.time.pass(1000);
  }
  assertEquals(scripted.finished(), undefined);
  const last = new Error("the last straw");
  (await scripted.nextConnect()).fail(last);
  await turns();
  assertEquals(scripted.finished(), [last]);
  assertEquals(scripted.time.running, 0);
});

Deno.test("X2: sessions that return too early use attempts up, are no error for retry, and say why", async () => {
  for (const isReady of [false, true]) {
    const asked: unknown[] = [];
    await using scripted = scriptedLink({
      attempts: 2,
      retry(error) {
        asked.push(error);
        return true;
      },
    });
    for (let attempt = 0; attempt < 2; attempt++) {
      (await scripted.nextConnect()).accept();
      const { context, end } = await scripted.nextSession();
      if (isReady) context.ready();
      end();
      await scripted.time.pass(1000);
    }
    const [error] = scripted.finished() as [SocketError];
    assertEquals([error.kind, error.operation], ["Closed", "keepConnected"]);
    assertEquals(
      error.reason,
      isReady
        ? "the session returned within 5000 ms after ready()"
        : "the session returned without calling ready()",
    );
    assertEquals(asked, []);
  }
});

Deno.test("a stable session that returns leaves no last error, and one that throws does", async () => {
  await using scripted = scriptedLink({ stableAfter: 0 });
  (await scripted.nextConnect()).fail(refused());
  await scripted.time.pass(100);
  (await scripted.nextReady()).end();
  await scripted.time.pass(0);
  assertEquals(scripted.link.lastError, undefined);
  await scripted.time.pass(100);
  (await scripted.nextReady()).fail("lost");
  await turns();
  assertEquals(scripted.link.lastError, "lost");
});

Deno.test("retryNow() does nothing while the link connects, is ready or has ended", async () => {
  await using scripted = scriptedLink();
  scripted.link.retryNow();
  const call = await scripted.nextConnect();
  scripted.link.retryNow();
  call.accept();
  const { context, end } = await scripted.nextSession();
  context.ready();
  scripted.link.retryNow();
  end();
  await turns();
  assertEquals([scripted.link.state, scripted.connects.length], ["waiting", 1]);
  await scripted.close();
  scripted.link.retryNow();
  await turns();
  assertEquals(scripted.connects.length, 1);
});

Deno.test("retryNow() while the old connection still closes skips the pause that would follow", async () => {
  using _random = fixedRandom(0.999);
  await using scripted = scriptedLink();
  const { peer, end } = await scripted.nextReady();
  peer.answersEnd = false;
  end();
  await turns();
  assertEquals(scripted.link.state, "waiting");
  scripted.link.retryNow();
  await scripted.time.pass(1000);
  await scripted.time.pass(0);
  assertEquals(scripted.connects.length, 2);
});

Deno.test("an onChange that throws or rejects changes nothing, and is a line on standard error", async () => {
  using unhandled = watchUnhandled();
  const { error: log } = console;
  const written: unknown[][] = [];
  console.error = (...args) => void written.push(args);
  try {
    await using scripted = scriptedLink({
      onChange(state) {
        if (state === "ready") throw new TypeError("quotes a password");
        return Promise.reject(new RangeError("quotes another")) as never;
      },
    });
    const { end } = await scripted.nextReady();
    end();
    await turns();
    assertEquals(scripted.link.state, "waiting");
    await scripted.close();
    assertEquals(await unhandled.seen(), []);
  } finally {
    console.error = log;
  }
  assertEquals(written.flat(), [
    "keepConnected: onChange failed with TypeError",
    "keepConnected: onChange failed with RangeError",
    "keepConnected: onChange failed with RangeError",
  ]);
});

Deno.test("an onChange that calls the link's functions is served", async () => {
  const seen: string[] = [];
  await using scripted = scriptedLink({
    onChange(state) {
      seen.push(`${state}, was ${scripted.link.state}`);
      if (state === "waiting") scripted.link.retryNow();
      if (state === "ready") void scripted.link.close({ linger: 0 });
    },
  });
  (await scripted.nextConnect()).fail(refused());
  await scripted.time.pass(0);
  (await scripted.nextConnect()).accept();
  const { context } = await scripted.nextSession();
  context.ready();
  assertEquals(scripted.link.state, "ended");
  assertEquals(context.signal.aborted, true);
  assertEquals(seen, [
    ...["waiting, was waiting", "connecting, was connecting"],
    ...["ready, was ready", "ended, was ended"],
  ]);
});

Deno.test("no loop of failures keeps the event loop, even if every pause is skipped", async () => {
  let attempts = 0;
  const link = keepConnected(ENDPOINT, () => {}, {
    connect() {
      attempts++;
      throw new Error("at once");
    },
    onChange(state) {
      if (state === "waiting") link.retryNow();
    },
  });
  // The timers of these turns would never fire otherwise.
  await turns(20);
  await link.close();
  assert(attempts > 1);
});

Deno.test("the caller's functions run after keepConnected() has returned", async () => {
  const early: string[] = [];
  let returned = false;
  const note = (what: string) => void (returned || early.push(what));
  const link = keepConnected(
    () => {
      note("endpoints");
      return ENDPOINT;
    },
    () => note("session"),
    {
      connect: (endpoint) => {
        note("connect");
        return Promise.reject(refused(endpoint));
      },
      onChange: () => note("onChange"),
      signal: AbortSignal.abort(),
    },
  );
  returned = true;
  await soon(link.finished);
  assertEquals(early, []);
  await using scripted = scriptedLink();
  assertEquals(scripted.connects.length, 0);
  await scripted.nextConnect();
});

Deno.test("a connection that somebody else has closed is not given by up()", async () => {
  await using scripted = scriptedLink({ stableAfter: 0 });
  const { end } = await scripted.nextReady();
  const { link } = scripted;
  abort(await link.up());
  // The link learns of it in a later microtask.
  const next = link.up();
  assertEquals(await isPending(next), true);
  end();
  await scripted.time.pass(100);
  const { connection } = await scripted.nextReady();
  assertStrictEquals(await soon(next), connection);
});

Deno.test("a link shows its state and its last error in a log", async () => {
  await using scripted = scriptedLink();
  assertEquals(shown(scripted.link), 'Link { state: "connecting", lastError: undefined }');
});

Deno.test("the package's own connect gets the signal of an attempt: nothing is left of one that ends", async () => {
  await using listener = await listen({ host: "127.0.0.1", port: 0 });
  const controller = new AbortController();
  const link = keepConnected(listener.address, () => {}, { signal: controller.signal });
  // The attempt has begun, and the connection may come at any moment.
  await Promise.resolve();
  controller.abort();
  await soon(link.finished);
  await rejection(() => link.up(), "Closed", "up");
  // A resource that was left would fail this test.
  const probe = await connect(listener.address);
  abort(probe);
});

Deno.test("a send that still waited when the connection broke has bytesSent 0, and can be repeated", async () => {
  await using scripted = scriptedLink({ backoff: { first: 0 } });
  const { peer, connection, fail } = await scripted.nextReady();
  const written = Promise.withResolvers<number>();
  peer.write = () => written.promise;
  const first = send(connection, bytesOf("taken by the system, perhaps"));
  const waiting = send(connection, bytesOf("still here"));
  first.catch(() => {});
  waiting.catch(() => {});
  written.reject(connectionReset());
  const error = await rejection(() => waiting, "ConnectionReset", "send");
  assertEquals(error.bytesSent, 0);
  fail(error);
  const next = scripted.link.up();
  await scripted.time.pass(0);
  const again = await scripted.nextReady();
  await send(await soon(next), bytesOf("still here"));
  assertEquals(again.peer.received, "still here");
});

Deno.test("the caller's functions get no object of the link as their this", async () => {
  const seen: unknown[] = [];
  function note(this: unknown): void {
    seen.push(this);
  }
  const link = keepConnected(
    function (this: unknown) {
      note.call(this);
      return ENDPOINT;
    },
    () => {},
    {
      connect(this: unknown) {
        note.call(this);
        throw new Error("no");
      },
      retry(this: unknown) {
        note.call(this);
        return false;
      },
      onChange(this: unknown) {
        note.call(this);
      },
    },
  );
  await soon(link.finished.catch(() => {}));
  assertEquals(seen, [undefined, undefined, undefined, undefined]);
});

Deno.test("an onChange that looks at lastError sees why the state has changed", async () => {
  const seen: unknown[] = [];
  await using scripted = scriptedLink({
    stableAfter: 1000,
    attempts: 4,
    onChange: (state) => void seen.push([state, scripted.link.lastError]),
  });
  const [refusal, lost] = [refused(), new Error("lost")];
  (await scripted.nextConnect()).fail(refusal);
  await scripted.time.pass(1000);
  (await scripted.nextReady()).fail(lost);
  await scripted.time.pass(1000);
  (await scripted.nextReady()).end();
  await scripted.time.pass(1000);
  const early = scripted.link.lastError as SocketError;
  assertEquals(early.reason, "the session returned within 1000 ms after ready()");
  abort((await scripted.nextReady()).connection);
  await turns();
  const closed = scripted.link.lastError as SocketError;
  assertEquals(closed.reason, "the connection is lost");
  scripted.sessions.at(-1)!.fail(lost);
  await turns();
  assertEquals(seen, [
    ...[["waiting", refusal], ["connecting", refusal], ["ready", refusal], ["waiting", lost]],
    ...[["connecting", lost], ["ready", lost], ["waiting", early], ["connecting", early]],
    ...[["ready", early], ["waiting", closed], ["ended", lost]],
  ]);
});

Deno.test("a session that returns after its connection was lost is no error for retry", async () => {
  const asked: unknown[] = [];
  await using scripted = scriptedLink({
    retry(error) {
      asked.push(error);
      return true;
    },
  });
  const { connection, end } = await scripted.nextReady();
  abort(connection);
  await turns();
  end();
  await turns();
  assertEquals(asked, []);
  const { reason } = scripted.link.lastError as SocketError;
  assertEquals(reason, "the session returned within 5000 ms after ready()");
});

Deno.test("E12: a handshake timeout that fires late lets what has come first have its effect", async () => {
  await using scripted = scriptedLink({ handshakeTimeout: 1000 });
  const call = await scripted.nextConnect();
  // The program computes for long, and the runtime runs the timer before it looks at its sockets.
  scripted.time.block(5000);
  await scripted.time.pass(0);
  assertEquals(call.signal.aborted, false);
  call.accept();
  const { context } = await scripted.nextSession();
  context.ready();
  await scripted.time.pass(10_000);
  assertEquals([scripted.link.state, context.signal.aborted], ["ready", false]);
});
