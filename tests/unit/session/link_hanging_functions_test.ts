import { assertEquals } from "@std/assert";
import {
  abort,
  connectionOver,
  keepConnected,
  type KeepConnectedOptions,
  type Link,
  type LinkSession,
  recv,
} from "../../../mod.ts";
import { ENDPOINT, refused, ScriptedPeer } from "../../support/scripted_link.ts";
import { soon } from "../../support/socket_errors.ts";
import { watchUnhandled } from "../../support/unhandled.ts";
import { virtualTime } from "../../support/virtual_time.ts";

/** Gives a link functions that try to hold it for ever, and checks that `close` ends it with nothing left. */
async function checkEnds(
  make: (
    link: () => Link,
  ) => { session?: LinkSession; options?: KeepConnectedOptions },
): Promise<void> {
  using unhandled = watchUnhandled();
  using time = virtualTime();
  const { session = () => {}, options } = make(() => link);
  const peers: ScriptedPeer[] = [];
  const link: Link = keepConnected(ENDPOINT, session, {
    connect(endpoint) {
      const peer = new ScriptedPeer(endpoint);
      peers.push(peer);
      return connectionOver(peer);
    },
    ...options,
  });
  await time.pass(100_000);
  const waiting = link.up().catch(() => {});
  const closing = link.close();
  closing.catch(() => {});
  await time.pass(60_000);
  await soon(closing);
  await soon(link.finished.catch(() => {}));
  await soon(waiting);
  assertEquals(link.state, "ended");
  await time.pass(1_000_000);
  assertEquals(time.running, 0);
  assertEquals(peers.filter(({ closed }) => !closed).length, 0);
  assertEquals(await unhandled.seen(), []);
}

const never = () => new Promise<never>(() => {});

const WEDGES: Record<string, Parameters<typeof checkEnds>[0]> = {
  "a session that awaits the end of its link": (link) => ({
    session: async (_, { ready }) => {
      ready();
      await link().finished;
    },
  }),
  "a session that awaits its own close": (link) => ({
    session: async (_, { ready }) => {
      ready();
      await link().close({ linger: 100 });
    },
  }),
  "a session that awaits up() before it is ready": (link) => ({
    session: async (_, { ready }) => {
      await link().up();
      ready();
    },
  }),
  "a session that gives a thenable that never calls back": () => ({
    session: () => ({ then() {} }) as never,
  }),
  "a session that gives a thenable that throws": () => ({
    session: () =>
      ({
        then() {
          throw new Error("no");
        },
      }) as never,
  }),
  "a session that closes its connection and stays": () => ({
    session: (connection, { ready }) => {
      ready();
      abort(connection);
      return never();
    },
  }),
  "a session that reads on after its end": () => ({
    session: async (connection, { ready }) => {
      ready();
      for (let read = 0; read < 1000; read++) await recv(connection).catch(() => {});
      await never();
    },
  }),
  "a retry that awaits the close of its link": (link) => ({
    options: {
      connect: () => Promise.reject(refused()),
      retry: async () => {
        await link().close();
        return true;
      },
    },
  }),
  "a retry that never answers": () => ({
    options: { connect: () => Promise.reject(refused()), retry: never },
  }),
  "a connect that never answers": () => ({ options: { connect: never } }),
  "a connect that gives one connection again and again": () => {
    const connection = connectionOver(new ScriptedPeer(ENDPOINT));
    return {
      session: (_, { ready }) => ready(),
      options: { connect: () => connection },
    };
  },
  "a transport whose functions never answer": () => ({
    session: (_, { ready }) => ready(),
    options: {
      connect: () =>
        connectionOver({ read: never, write: never, closeWrite: never, close: () => {} }),
    },
  }),
  "a transport that throws at its close": () => ({
    session: async (connection, { ready, signal }) => {
      ready();
      await recv(connection, { signal });
    },
    options: {
      connect: () =>
        connectionOver({
          read: never,
          write: never,
          close() {
            throw new Error("no");
          },
        }),
    },
  }),
};

for (const [what, make] of Object.entries(WEDGES)) {
  Deno.test(`X2, X3: ${what} holds no link for ever`, () => checkEnds(make));
}
