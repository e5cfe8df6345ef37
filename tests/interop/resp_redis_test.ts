/**
 * RESP with the original programs: redis-cli and redis-benchmark use the example's server, its client uses a
 * redis-server, and both servers give the same replies.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { parseAddress } from "../../mod.ts";
import { NIL, type Reply } from "../../examples/resp_codec.ts";
import { RespClient } from "../../examples/resp_client.ts";
import { Example } from "../system/support/example.ts";
import { needRedisTools, startRedis } from "./support/redis.ts";
import { talk } from "./support/talk.ts";

interface RespServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/** Starts the example's server; its disposal checks that it ends cleanly, with no errors. */
async function startOurs(): Promise<RespServer> {
  const server = Example.start("resp_server", "--port", "0");
  const { host, port } = parseAddress((await server.until(/127\.0\.0\.1:\d+/))[0]);
  return {
    host,
    port,
    async [Symbol.asyncDispose](): Promise<void> {
      server.signal("SIGTERM");
      try {
        assertEquals(await server.end(), 0);
        assertEquals(await server.errors(), "");
      } finally {
        await server[Symbol.asyncDispose]();
      }
    },
  };
}

async function cli({ host, port }: RespServer, args: string[], input?: string): Promise<string> {
  await needRedisTools();
  const { code, output, errors } = await talk(
    "redis-cli",
    ["-h", host, "-p", `${port}`, ...args],
    input,
  );
  assertEquals({ code, errors }, { code: 0, errors: "" });
  return output;
}

Deno.test("redis-cli gets from our server what it gets from redis-server", async () => {
  await using ours = await startOurs();
  await using redis = await startRedis();
  for (
    const args of [
      ["PING"],
      ["PING", "hello"],
      ["ECHO", "grüße\r\n"],
      ["SET", "key", "some value"],
      ["GET", "key"],
      ["--no-raw", "GET", "key"],
      ["--no-raw", "GET", "none"],
      ["INCR", "key"],
      ["-r", "100", "INCR", "counter"],
      ["DEL", "key", "none", "counter"],
      ["--no-raw", "GET"],
      ["CONFIG", "GET", "save"],
      ["QUIT"],
    ]
  ) assertEquals(await cli(ours, args), await cli(redis, args), args.join(" "));
  // These commands come from its input, with a value of 900,000 bytes.
  const script = `SET big ${"x".repeat(900_000)}\nGET big\nset a 1\nincr a\nGET a\nDEL a big\n`;
  assertEquals(await cli(ours, [], script) === await cli(redis, [], script), true);
});

Deno.test("redis-cli --pipe sends 100,000 commands to our server without an error", async () => {
  await using ours = await startOurs();
  const commands = Array.from({ length: 100_000 }, (_, index) => {
    const [key, value] = [`key:${index}`, `${index * index}`];
    return `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
  });
  const output = await cli(ours, ["--pipe"], commands.join(""));
  assertMatch(output, /errors: 0, replies: 100000/);
  assertEquals(await cli(ours, ["GET", "key:99999"]), `${99999 * 99999}\n`);
});

for (const [pipeline, count] of [[1, 20_000], [64, 500_000]]) {
  Deno.test(`redis-benchmark -P ${pipeline} runs against our server without an error`, async () => {
    await needRedisTools();
    await using ours = await startOurs();
    const tests = ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"];
    const { code, output, errors } = await talk("redis-benchmark", [
      ...["-h", ours.host, "-p", `${ours.port}`, "-P", `${pipeline}`, "-n", `${count}`],
      ...["-t", tests.join(",").toLowerCase(), "-q"],
    ]);
    // It exits with 1 at the first error reply.
    assertEquals({ code, errors }, { code: 0, errors: "" }, output);
    assert(!/error|warning/i.test(output), output);
    for (const test of tests) {
      assertMatch(output, new RegExp(`${test}: [\\d.]+ requests per second`));
    }
    // It does not report the replies, but the server has counted them.
    assert(Number(await cli(ours, ["GET", "counter:__rand_int__"])) >= count);
  });
}

Deno.test("RespClient gets typed replies from a redis-server, in the order of its calls", async () => {
  await using redis = await startRedis();
  await using client = await RespClient.connect(redis);
  const replies = await Promise.all([
    client.command("PING"),
    client.command("SET", "key", "\0\xff\r\n"),
    client.command("GET", "key"),
    client.command("GET", "none"),
    client.command("INCR", "key"),
    client.command("RPUSH", "list", "a", "b"),
    client.command("LRANGE", "list", "0", "-1"),
    client.command("EVAL", "return {1,{redis.status_reply('A'),false},{}}", "0"),
    client.command("SET", "n", "9223372036854775806"),
    client.command("INCR", "n"),
    client.command("INCR", "n"),
  ]);
  const expected: Reply[] = [
    { status: "PONG" },
    { status: "OK" },
    "\0\xff\r\n",
    NIL,
    { error: "ERR value is not an integer or out of range" },
    2,
    ["a", "b"],
    [1, [{ status: "A" }, NIL], []],
    { status: "OK" },
    9223372036854775807n,
    { error: "ERR increment or decrement would overflow" },
  ];
  assertEquals(replies, expected);
  const many = Array.from({ length: 50_000 }, (_, index) => client.command("ECHO", `${index}`));
  const echoes = await Promise.all(many);
  assertEquals(echoes.findIndex((echo, index) => echo !== `${index}`), -1);
});

const key = fc.constantFrom("a", "b", "c", "");
const value = fc.oneof(
  fc.constantFrom("0", "-1", "41", "1.5", " 1", "1 ", "01", "+1", "-0", "x", ""),
  fc.constantFrom(
    "9007199254740991",
    "-9007199254740993",
    "9223372036854775806",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999",
  ),
  fc.uint8Array({ maxLength: 80 }).map((bytes) => String.fromCharCode(...bytes)),
);
const command = fc.oneof(
  fc.tuple(fc.constantFrom("SET", "set"), key, value),
  fc.tuple(fc.constantFrom("GET", "INCR", "incr", "DEL", "ECHO"), key),
  fc.tuple(fc.constantFrom("ECHO", "PING"), value),
  fc.tuple(fc.constant("DEL"), key, key, key),
  // These have too few or too many arguments.
  fc.tuple(fc.constantFrom("PING", "Get", "SET", "del", "INCR", "ECHO")),
  fc.tuple(fc.constantFrom("PING", "GET", "INCR", "ECHO"), value, value),
);

Deno.test("our server gives the same replies as redis-server to any sequence of its commands", async () => {
  await using ours = await startOurs();
  await using redis = await startRedis();
  await using one = await RespClient.connect(ours);
  await using other = await RespClient.connect(redis);
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 20, size: "max" }), async (commands) => {
      // Each sequence begins with an empty store.
      const all = [["DEL", "a", "b", "c", ""], ...commands];
      const [replies, expected] = await Promise.all(
        [one, other].map((client) => Promise.all(all.map((words) => client.command(...words)))),
      );
      assertEquals(replies.slice(1), expected.slice(1));
    }),
    { numRuns: 10_000 },
  );
});

/** Sends bytes, and gives all replies until the server ends the connection. */
async function exchange({ host, port }: RespServer, bytes: string): Promise<string> {
  using conn = await Deno.connect({ hostname: host, port });
  await conn.write(new TextEncoder().encode(bytes));
  return await new Response(conn.readable).text();
}

for (
  const [what, bytes] of [
    ["words on a line", "PING\r\n  set a  1 \nINCR a\r\n\r\n\nQUIT\r\n"],
    ["requests of both kinds, and an empty list", "*0\r\nPING\r\n*1\r\n$4\r\nPING\r\nQUIT\r\n"],
    ["a QUIT before others", "*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n"],
  ]
) {
  Deno.test(`our server answers ${what} byte for byte as redis-server`, async () => {
    await using ours = await startOurs();
    await using redis = await startRedis();
    const replies = await exchange(ours, bytes);
    assert(replies.length > 0);
    assertEquals(replies, await exchange(redis, bytes));
  });
}

for (const bytes of ["*1\r\n:1\r\n", "*x\r\n", "*1\r\n$x\r\n", "*1\r\n$-5\r\n", "PING 'a\r\n"]) {
  Deno.test(`our server and redis-server end the connection after ${JSON.stringify(bytes)}`, async () => {
    await using ours = await startOurs();
    await using redis = await startRedis();
    for (const server of [ours, redis]) {
      assertMatch(await exchange(server, `PING\r\n${bytes}PING\r\n`), /^\+PONG\r\n-ERR .*\r\n$/);
    }
  });
}
