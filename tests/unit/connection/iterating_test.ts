import { assert, assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import {
  abort,
  close,
  type Codec,
  type Connection,
  connectionOver,
  framed,
  recv,
  send,
  SocketError,
} from "../../../mod.ts";
import { connectionReset } from "../../support/runtime_errors.ts";
import { ScriptedTransport } from "../../support/scripted_transport.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";
import { isPending } from "../../support/turns.ts";

/** Iterations that give the text until they end, with the operation that their errors name. */
const ITERATIONS: Record<string, (connection: Connection) => AsyncIterable<Uint8Array>> = {
  recv: (connection) => connection,
  recvFrame: (connection) => framed(connection, BYTES),
};

/** A codec that gives whatever has come. */
const BYTES: Codec<Uint8Array> = {
  encode: (frame) => frame,
  decoder: () => ({
    decode: (input) => input.length === 0 ? undefined : input.take(input.length),
  }),
};

async function textFrom(iterable: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const bytes of iterable) text += textOf(bytes);
  return text;
}

const ENDS: Record<string, (connection: Connection) => unknown> = {
  "close()": (connection) => close(connection, { linger: 0 }),
  "abort()": (connection) => abort(connection),
  "a close() that is cancelled": (connection) =>
    rejection(() => close(connection, { timeout: 0 }), "TimedOut", "close"),
  "await using": (connection) => connection[Symbol.asyncDispose](),
};

for (const [operation, over] of Object.entries(ITERATIONS)) {
  for (const [how, end] of Object.entries(ENDS)) {
    Deno.test(`R8: ${how} ends an iteration by ${operation} that waits, and a later one at once`, async () => {
      await using pair = await tcpPair();
      const { client, server } = pair;
      const text = textFrom(over(client));
      await send(server, bytesOf("before the end"));
      while (client.bytesReceived < 14) await isPending(text);
      assert(await isPending(text));
      const ended = end(client);
      assertEquals(await soon(text), "before the end");
      assertEquals(await textFrom(over(client)), "");
      abort(server);
      await ended;
    });

    Deno.test(`R8: ${how} in the body of an iteration by ${operation} ends it`, async () => {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      let rounds = 0;
      const iterated = (async () => {
        for await (const _ of over(connection)) {
          rounds++;
          void end(connection);
        }
      })();
      (await transport.nextRead()).give(bytesOf("x"));
      await soon(iterated);
      assertEquals(rounds, 1);
      abort(connection);
    });
  }

  Deno.test(`R8: an iteration by ${operation} that waits throws if the connection breaks`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const iterated = rejection(() => textFrom(over(connection)), "ConnectionReset", operation);
    (await transport.nextRead()).fail(connectionReset());
    await iterated;
  });

  Deno.test(`R8: a close() after the connection broke does not make an iteration by ${operation} end quietly`, async () => {
    for (const end of Object.values(ENDS)) {
      const transport = new ScriptedTransport();
      const connection = connectionOver(transport);
      const sent = rejection(() => send(connection, bytesOf("x")), "ConnectionReset", "send");
      (await transport.nextWrite()).fail(connectionReset());
      await sent;
      await end(connection);
      await rejection(() => recv(connection), "Closed", "recv");
      await rejection(() => textFrom(over(connection)), "ConnectionReset", operation);
    }
  });

  Deno.test(`R8: an iteration by ${operation} throws if a send has torn the connection`, async () => {
    const transport = new ScriptedTransport();
    const connection = connectionOver(transport);
    const controller = new AbortController();
    const iterated = rejection(() => textFrom(over(connection)), "Closed", operation);
    const failed = rejection(() => send(connection, bytesOf("x"), controller), "Aborted", "send");
    controller.abort();
    const torn = await failed;
    assertInstanceOf(torn, SocketError);
    assertStrictEquals((await iterated).cause, torn);
    assertStrictEquals(
      (await rejection(() => textFrom(over(connection)), "Closed", operation)).cause,
      torn,
    );
  });
}
