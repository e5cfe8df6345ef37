import {
  accept,
  close,
  closeWrite,
  connect,
  connectionOver,
  flush,
  framed,
  lengthPrefixed,
  listen,
  type OperationOptions,
  send,
  sendFrame,
  sendFrames,
} from "../../mod.ts";
import { RECEIVING_CALLS, type ReceivingCall } from "./receiving_calls.ts";
import { ScriptedConn, ScriptedConnect, ScriptedListener } from "./scripted_runtime.ts";
import { ScriptedTransport } from "./scripted_transport.ts";
import { LOOPBACK } from "./tcp_pair.ts";

/** A function that waits for a peer, and a peer that the test controls. */
export interface Scene extends AsyncDisposable {
  /** Calls the function, which then waits for the peer. */
  call(options: OperationOptions): Promise<unknown>;
  /** The calls of the runtime or the transport. */
  asked(): readonly string[];
  /** Makes the peer do what the function waits for. */
  finish(): Promise<void>;
  /** Makes the runtime's or the transport's call fail. */
  fail(error: Error): Promise<void>;
}

/** The functions that take `signal` and `timeout`. Each waits for its peer. */
export const WAITING_CALLS: readonly { name: string; open(): Promise<Scene> }[] = [
  { name: "accept", open: openAccept },
  { name: "connect", open: () => Promise.resolve(openConnect()) },
  { name: "send", open: () => Promise.resolve(openSend()) },
  { name: "sendFrame", open: () => Promise.resolve(openSendFrame()) },
  { name: "sendFrames", open: () => Promise.resolve(openSendFrames()) },
  { name: "flush", open: () => Promise.resolve(openFlush()) },
  ...RECEIVING_CALLS.map((receiving) => ({
    name: receiving.name,
    open: () => Promise.resolve(openReceive(receiving)),
  })),
  { name: "closeWrite", open: () => Promise.resolve(openCloseWrite()) },
  { name: "close", open: () => Promise.resolve(openClose()) },
];

async function openAccept(): Promise<Scene> {
  const runtime = new ScriptedListener([]);
  const listener = await listen(LOOPBACK);
  return {
    call: (options) => accept(listener, options),
    asked: () => Array(runtime.accepts).fill("accept"),
    finish: () => Promise.resolve(runtime.give(new ScriptedConn())),
    fail: (error) => Promise.resolve(runtime.give(error)),
    async [Symbol.asyncDispose](): Promise<void> {
      runtime[Symbol.dispose]();
      await listener[Symbol.asyncDispose]();
    },
  };
}

function openConnect(): Scene {
  const runtime = new ScriptedConnect();
  return {
    call: (options) => connect({ host: "127.0.0.1", port: 9 }, options),
    asked: () => runtime.calls === 0 ? [] : ["connect"],
    finish: () => Promise.resolve(runtime.succeed(new ScriptedConn())),
    fail: (error) => Promise.resolve(runtime.fail(error)),
    [Symbol.asyncDispose]: () => Promise.resolve(runtime[Symbol.dispose]()),
  };
}

function openSend(): Scene {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  return {
    call: (options) => send(connection, new Uint8Array(3), options),
    asked: () => transport.log,
    finish: async () => (await transport.nextWrite()).take(),
    fail: async (error) => (await transport.nextWrite()).fail(error),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A codec whose frames are pieces that are written one after the other. */
function openSendFrame(): Scene {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lengthPrefixed());
  return {
    call: (options) => sendFrame(stream, new Uint8Array(100_000), options),
    asked: () => transport.log,
    async finish(): Promise<void> {
      for (let left = 2; left > 0; left--) (await transport.nextWrite()).take();
    },
    fail: async (error) => (await transport.nextWrite()).fail(error),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A batch with a frame that is too large to be written together with the others. */
function openSendFrames(): Scene {
  const transport = new ScriptedTransport();
  const stream = framed(connectionOver(transport), lengthPrefixed());
  const frames = [new Uint8Array(3), new Uint8Array(300_000), new Uint8Array(3)];
  return {
    call: (options) => sendFrames(stream, frames, options),
    asked: () => transport.log,
    async finish(): Promise<void> {
      for (let left = 3; left > 0; left--) (await transport.nextWrite()).take();
    },
    fail: async (error) => (await transport.nextWrite()).fail(error),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function openFlush(): Scene {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  send(connection, new Uint8Array(3)).catch(() => {});
  return {
    call: (options) => flush(connection, options),
    // The write belongs to the send.
    asked: () => transport.log.slice(1),
    finish: async () => (await transport.nextWrite()).take(),
    fail: async (error) => (await transport.nextWrite()).fail(error),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function openReceive({ call, answer }: ReceivingCall): Scene {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  return {
    call: (options) => call(connection, options),
    asked: () => transport.log,
    finish: async () => (await transport.nextRead()).give(answer),
    fail: async (error) => (await transport.nextRead()).fail(error),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function openCloseWrite(): Scene {
  const transport = new ScriptedTransport();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  transport.onCloseWrite = () => promise;
  const connection = connectionOver(transport);
  return {
    call: (options) => closeWrite(connection, options),
    // It ends the sending side, even if it is cancelled (K2).
    asked: () => transport.log.filter((entry) => entry !== "closeWrite"),
    finish: () => Promise.resolve(resolve()),
    fail: (error) => Promise.resolve(reject(error)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function openClose(): Scene {
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  return {
    call: (options) => close(connection, { linger: Infinity, ...options }),
    // It closes, even if it is cancelled (K1).
    asked: () => transport.log.filter((entry) => entry !== "close"),
    finish: async () => (await transport.nextRead()).end(),
    fail: async (error) => (await transport.nextRead()).fail(error),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
