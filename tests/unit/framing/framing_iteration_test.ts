import { assertEquals } from "@std/assert";
import { close, closeWrite, framed, lines, recv, recvFrame, send } from "../../../mod.ts";
import { soon } from "../../support/socket_errors.ts";
import { tcpPair } from "../../support/tcp_pair.ts";
import { bytesOf, textOf } from "../../support/text.ts";

Deno.test("F6: the next reader gets the frames that an iteration has not given", async () => {
  await using pair = await tcpPair();
  await send(pair.client, bytesOf("one\ntwo\nthree\nfour"));
  const server = framed(pair.server, lines());
  for await (const line of server) {
    if (line === "two") break;
  }
  assertEquals(await recvFrame(server), "three");
  assertEquals(textOf(await recv(pair.server)), "four");
});

Deno.test("F7: an iteration of frames is over after the end of stream, and stays over after a close", async () => {
  await using pair = await tcpPair();
  await send(pair.client, bytesOf("one\nlast"));
  await closeWrite(pair.client);
  const iterator = framed(pair.server, lines())[Symbol.asyncIterator]();
  assertEquals(await iterator.next(), { done: false, value: "one" });
  assertEquals(await iterator.next(), { done: false, value: "last" });
  assertEquals(await iterator.next(), { done: true, value: undefined });
  await close(pair.server);
  assertEquals(await iterator.next(), { done: true, value: undefined });
});

Deno.test("F6: an iteration that ends while it waits does not lose the frame that comes", async () => {
  await using pair = await tcpPair();
  const iterator = framed(pair.server, lines())[Symbol.asyncIterator]();
  const waiting = iterator.next();
  assertEquals(await iterator.return!(), { done: true, value: undefined });
  await send(pair.client, bytesOf("late\n"));
  assertEquals(await soon(waiting), { done: false, value: "late" });
  assertEquals(await iterator.next(), { done: true, value: undefined });
});
