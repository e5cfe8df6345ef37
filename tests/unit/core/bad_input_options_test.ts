import { assertEquals } from "@std/assert";
import {
  accept,
  bindUdp,
  close,
  closeListener,
  closeUdp,
  closeWrite,
  connect,
  connectionOver,
  flush,
  framed,
  joinMulticast,
  lines,
  listen,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  recvFrom,
  recvInto,
  recvLine,
  recvProxyHeader,
  recvUntil,
  send,
  sendFrame,
  sendFrames,
  sendTo,
} from "../../../mod.ts";
import { WRONG_TYPES } from "../../support/hostile.ts";
import { LOOPBACK, type OpenHandles, openHandles } from "../../support/open_handles.ts";
import { rejection, soon, thrown } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

const BYTES = new Uint8Array([1]);

type Option =
  | "signal"
  | "timeout"
  | "maxBytes"
  | "linger"
  | "flushTimeout"
  | "backlog"
  | "sendQueueLimit"
  | "noDelay"
  | "keepAlive"
  | "reusePort"
  | "reuseAddress"
  | "multicastLoopback"
  | "multicastTtl"
  | "multicastInterface"
  | "ttl"
  | "ipv6Only"
  | "interface"
  | "source";

interface Taker {
  readonly operation: string;
  readonly options: readonly Option[];
  readonly call: (options: object) => Promise<unknown>;
}

const CANCELLING: readonly Option[] = ["signal", "timeout"];
const TUNING: readonly Option[] = ["noDelay", "keepAlive", "sendQueueLimit"];

/** Every function that takes options, with their names. */
function takers({ listener, client, udp }: OpenHandles): readonly Taker[] {
  return [
    {
      operation: "listen",
      options: ["backlog", "reusePort", ...TUNING],
      call: (options) => listen(LOOPBACK, options),
    },
    {
      operation: "connect",
      options: [...CANCELLING, ...TUNING],
      call: (options) => connect(listener.address, options),
    },
    {
      operation: "bindUdp",
      options: [
        "reuseAddress",
        "sendQueueLimit",
        "multicastLoopback",
        "multicastTtl",
        "multicastInterface",
        "ttl",
        "ipv6Only",
      ],
      call: (options) => bindUdp(LOOPBACK, options),
    },
    {
      operation: "joinMulticast",
      options: ["interface", "source"],
      call: (options) => joinMulticast(udp, "239.255.7.7", options),
    },
    {
      operation: "accept",
      options: CANCELLING,
      call: (options) => accept(listener, options),
    },
    {
      operation: "send",
      options: CANCELLING,
      call: (options) => send(client, BYTES, options),
    },
    {
      operation: "send",
      options: CANCELLING,
      call: (options) => send(client, new Uint8Array(), options),
    },
    {
      operation: "send",
      options: CANCELLING,
      call: (options) => send(client, [BYTES, BYTES], options),
    },
    {
      operation: "recv",
      options: [...CANCELLING, "maxBytes"],
      call: (options) => recv(client, options),
    },
    {
      operation: "recvInto",
      options: [...CANCELLING, "maxBytes"],
      call: (options) => recvInto(client, new Uint8Array(9), options),
    },
    {
      operation: "recvExactly",
      options: CANCELLING,
      call: (options) => recvExactly(client, 1, options),
    },
    {
      operation: "recvUntil",
      options: CANCELLING,
      call: (options) => recvUntil(client, BYTES, options),
    },
    {
      operation: "recvLine",
      options: CANCELLING,
      call: (options) => recvLine(client, options),
    },
    {
      operation: "recvFrame",
      options: CANCELLING,
      call: (options) => recvFrame(framed(client, lines()), options),
    },
    {
      operation: "sendFrame",
      options: CANCELLING,
      call: (options) => sendFrame(framed(client, lines()), "line", options),
    },
    {
      operation: "recvFrames",
      options: CANCELLING,
      call: (options) => recvFrames(framed(client, lines()), options),
    },
    {
      operation: "sendFrames",
      options: CANCELLING,
      call: (options) => sendFrames(framed(client, lines()), ["line"], options),
    },
    {
      operation: "recvProxyHeader",
      options: CANCELLING,
      call: (options) => recvProxyHeader(client, options),
    },
    {
      operation: "closeWrite",
      options: CANCELLING,
      call: (options) => closeWrite(client, options),
    },
    { operation: "flush", options: CANCELLING, call: (options) => flush(client, options) },
    {
      operation: "close",
      options: [...CANCELLING, "linger", "flushTimeout"],
      call: (options) => close(client, options),
    },
    {
      operation: "sendTo",
      options: CANCELLING,
      call: (options) => sendTo(udp, udp.address, BYTES, options),
    },
    { operation: "recvFrom", options: CANCELLING, call: (options) => recvFrom(udp, options) },
  ];
}

const WRONG_SIGNALS: readonly (readonly [string, unknown])[] = [
  ...WRONG_TYPES,
  ["an empty object", {}],
  ["an event target", new EventTarget()],
  ["a controller", new AbortController()],
  ["something like a signal", { aborted: false, addEventListener() {}, removeEventListener() {} }],
];

/** Values that are wrong for every number. `undefined` is not among them, since it means left out. */
const NO_NUMBERS: readonly (readonly [string, unknown])[] = [
  ...WRONG_TYPES.filter(([, value]) => typeof value !== "number"),
  ["NaN", NaN],
  ["-1", -1],
  ["-Infinity", -Infinity],
  ["a numeric string", "5"],
  ["a number object", new Number(5)],
  ["something with a value", { valueOf: () => 5 }],
];

const NO_BOOLEANS: readonly (readonly [string, unknown])[] = [
  ...WRONG_TYPES.filter(([, value]) => typeof value !== "boolean"),
  ...["true", "false", 0, 1].map((value) => [`${value}`, value] as const),
];

const NO_TTLS = [...NO_NUMBERS, ["0", 0], ["256", 256], ["1.5", 1.5], [
  "Infinity",
  Infinity,
]] as const;

const NO_INTERFACES = [
  ["null", null],
  ["a number", 1],
  ["an object", {}],
  ["empty", ""],
  ["the unspecified address", "0.0.0.0"],
] as const;

const WRONG_VALUES: Readonly<Record<Option, readonly (readonly [string, unknown])[]>> = {
  signal: WRONG_SIGNALS,
  timeout: NO_NUMBERS,
  maxBytes: [...NO_NUMBERS, ["0", 0], ["-0", -0], ["1.5", 1.5], ["less than 1", 0.5]],
  linger: NO_NUMBERS,
  flushTimeout: NO_NUMBERS,
  backlog: [...NO_NUMBERS, ["1.5", 1.5], ["2 ** 31", 2 ** 31]],
  sendQueueLimit: NO_NUMBERS,
  noDelay: NO_BOOLEANS,
  keepAlive: NO_BOOLEANS,
  reusePort: NO_BOOLEANS,
  reuseAddress: NO_BOOLEANS,
  multicastLoopback: NO_BOOLEANS,
  multicastTtl: NO_TTLS,
  multicastInterface: [...NO_INTERFACES, ["the other family", "::1"]],
  ttl: NO_TTLS,
  ipv6Only: [...NO_BOOLEANS, ["true for IPv4", true]],
  interface: [...NO_INTERFACES, ["the other family", "::1"]],
  source: [
    ...NO_INTERFACES,
    ["a name", "localhost"],
    ["the other family", "::1"],
    ["a group", "239.255.7.7"],
  ],
};

/** An options object whose `name` cannot be read. */
function unreadable(name: Option, error: unknown): object {
  return Object.defineProperty({}, name, {
    get(): never {
      throw error;
    },
  });
}

Deno.test("E1: options that are not an object are InvalidInput before any I/O", async () => {
  await using handles = await openHandles();
  for (const { operation, call } of takers(handles)) {
    for (const [what, value] of WRONG_TYPES) {
      const name = `${operation} with ${what} as options`;
      await rejection(() => call(value as object), "InvalidInput", operation, name);
    }
  }
  await handles.prove();
});

for (const option of Object.keys(WRONG_VALUES) as Option[]) {
  Deno.test(`E1: a wrong ${option} is InvalidInput before any I/O`, async () => {
    await using handles = await openHandles();
    for (const { operation, options, call } of takers(handles)) {
      if (!options.includes(option)) continue;
      for (const [what, value] of WRONG_VALUES[option]) {
        const name = `${operation} with ${what} as ${option}`;
        await rejection(() => call({ [option]: value }), "InvalidInput", operation, name);
      }
      for (const error of [new RangeError("mine"), undefined, "text"]) {
        const name = `${operation} with an unreadable ${option}`;
        await rejection(() => call(unreadable(option, error)), "InvalidInput", operation, name);
      }
    }
    await handles.prove();
  });
}

// For these 0 means that nothing may come before the end, and is no mistake.
Deno.test("E1: a wrong maxLength of recvUntil() and recvLine() is InvalidInput before any I/O", async () => {
  await using handles = await openHandles();
  const { client } = handles;
  const calls = {
    recvUntil: (options: object) => recvUntil(client, BYTES, options),
    recvLine: (options: object) => recvLine(client, options),
  };
  for (const [operation, call] of Object.entries(calls)) {
    for (const [what, maxLength] of [...NO_NUMBERS, ["1.5", 1.5], ["0.5", 0.5]] as const) {
      const name = `${operation} with ${what} as maxLength`;
      await rejection(() => call({ maxLength }), "InvalidInput", operation, name);
      const signal = AbortSignal.abort();
      await rejection(() => call({ signal, maxLength }), "InvalidInput", operation, name);
    }
    for (const error of [new RangeError("mine"), undefined, "text"]) {
      const options = {
        get maxLength(): number {
          throw error;
        },
      };
      await rejection(() => call(options), "InvalidInput", operation);
    }
  }
  await handles.prove();
});

Deno.test("E10: InvalidInput comes before an aborted signal and timeout 0", async () => {
  await using handles = await openHandles();
  const signal = AbortSignal.abort();
  for (const { operation, options, call } of takers(handles)) {
    if (!options.includes("signal")) continue;
    for (const option of options) {
      if (option === "signal") continue;
      const name = `${operation} with -1 as ${option}`;
      await rejection(() => call({ signal, [option]: -1 }), "InvalidInput", operation, name);
    }
  }
  await handles.prove();
});

Deno.test("E1: options that are undefined, and unknown ones, are as if left out", async () => {
  await using handles = await openHandles();
  const { client, server } = handles;
  const names = Object.keys(WRONG_VALUES);
  const undefinedOnes = Object.fromEntries(names.map((name) => [name, undefined]));
  const options: object = { ...undefinedOnes, other: "x" };
  await closeListener(await listen(LOOPBACK, options));
  await closeUdp(await bindUdp(LOOPBACK, options));
  await send(client, BYTES, options);
  assertEquals(await soon(recv(server, options)), BYTES);
  await send(client, BYTES, options);
  assertEquals(await soon(recvInto(server, new Uint8Array(1), options)), 1);
  await sendFrame(framed(client, lines()), "a", options);
  assertEquals(await soon(recvFrame(framed(server, lines()), options)), "a");
  await send(client, bytesOf("b\nc\nd"), options);
  assertEquals(await soon(recvLine(server, options)), "b");
  assertEquals(await soon(recvUntil(server, bytesOf("\n"), options)), bytesOf("c"));
  assertEquals(await soon(recvExactly(server, 1, options)), bytesOf("d"));
  await sendTo(handles.udp, handles.udp.address, BYTES, options);
  assertEquals((await soon(recvFrom(handles.udp, options))).bytes, BYTES);
  await handles.prove();
});

Deno.test("E1: connectionOver() throws InvalidInput for wrong options", () => {
  const transport = { read: () => {}, write: () => {}, close: () => {} } as unknown as Deno.Conn;
  const limits = WRONG_VALUES.sendQueueLimit.map(([, value]) => ({ sendQueueLimit: value }));
  const wrong = WRONG_TYPES.map(([, value]) => value as object);
  for (const options of [...limits, ...wrong, unreadable("sendQueueLimit", new Error("mine"))]) {
    thrown(() => connectionOver(transport, options), "InvalidInput", "connectionOver");
  }
});
