import { assert, assertEquals } from "@std/assert";
import { abort, connectionOver, framed, heartbeat, lines } from "../../../mod.ts";
import { WRONG_TYPES } from "../../support/hostile.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { thrown } from "../../support/socket_errors.ts";
import { virtualTime } from "../../support/virtual_time.ts";

const RIGHT = { interval: 1000, timeout: 1000, ping: () => {} };

Deno.test("E1: heartbeat() throws InvalidInput for bad times and pings, and starts nothing", () => {
  using time = virtualTime();
  const connection = connectionOver(new ScriptedTransport());
  const numbers = [NaN, -1, 0, 0.5, "5", null, undefined, 5n, {}, new Number(5)];
  const wrong: [name: string, value: unknown][] = [
    ...numbers.flatMap((value): [string, unknown][] => [["interval", value], ["timeout", value]]),
    ...[undefined, null, 5, {}, "ping", Promise.resolve()]
      .map((value): [string, unknown] => ["ping", value]),
  ];
  for (const [name, value] of wrong) {
    const options = { ...RIGHT, [name]: value } as never;
    const { message } = thrown(() => heartbeat(connection, options), "InvalidInput", "heartbeat");
    assert(message.startsWith(`heartbeat: ${name} is `), message);
  }
  for (const [what, value] of [...WRONG_TYPES, ["nothing", undefined] as const]) {
    if (typeof value === "object" && value !== null) continue;
    thrown(() => heartbeat(connection, value as never), "InvalidInput", "heartbeat", what);
  }
  thrown(() => heartbeat(connection, {} as never), "InvalidInput", "heartbeat");
  const throwing = {
    get interval(): number {
      throw new RangeError("no");
    },
  };
  thrown(() => heartbeat(connection, throwing as never), "InvalidInput", "heartbeat");
  assertEquals(time.running, 0);
  abort(connection);
});

Deno.test("E1: heartbeat() throws InvalidInput for anything but a connection", () => {
  const connection = connectionOver(new ScriptedTransport());
  for (const garbage of [undefined, null, 5, {}, framed(connection, lines()), Symbol()]) {
    const { message } = thrown(
      () => heartbeat(garbage as never, RIGHT),
      "InvalidInput",
      "heartbeat",
    );
    assert(message.includes("not a Connection"), message);
  }
  abort(connection);
});

Deno.test("E1: heartbeat() takes times up to Infinity, and starts no timer for an interval of Infinity", () => {
  using time = virtualTime();
  const connection = connectionOver(new ScriptedTransport());
  const never = heartbeat(connection, { ...RIGHT, interval: Infinity });
  assertEquals(time.running, 0);
  const long = heartbeat(connection, { ...RIGHT, interval: Number.MAX_VALUE, timeout: Infinity });
  const short = heartbeat(connection, { ...RIGHT, interval: 1, timeout: 1 });
  assertEquals(time.running, 2);
  for (const heart of [never, long, short]) heart[Symbol.dispose]();
  assertEquals(time.running, 0);
  abort(connection);
});
