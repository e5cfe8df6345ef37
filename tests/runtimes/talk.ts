/**
 * Talks to the line server, the RESP server and the chat of the examples, and prints what they said as one line of
 * JSON: `talk.ts 127.0.0.1:1 127.0.0.1:2 127.0.0.1:3`. It runs on Deno, Node and Bun.
 */
import process from "node:process";
import { type Address, close, connect, parseAddress, recvLine, send } from "../../mod.ts";
import { LineClient } from "../../examples/line_client.ts";
import { RespClient } from "../../examples/resp_client.ts";
import { fromUtf8, toUtf8 } from "../../examples/resp_codec.ts";

const LIMIT = { timeout: 20_000 };
const [lineServer, respServer, chat] = process.argv.slice(2).map((text) => parseAddress(text));

async function askLines(): Promise<string[]> {
  await using client = await LineClient.connect(lineServer, LIMIT);
  return await client.ask(["hello", "grüße", "x".repeat(2000), "bye"], LIMIT);
}

async function askResp(): Promise<unknown[]> {
  await using client = await RespClient.connect(respServer);
  const value = "v".repeat(100_000);
  const replies = await Promise.all([
    client.command(...["SET", "key", value].map(fromUtf8)),
    client.command(...["GET", "key"].map(fromUtf8)),
    client.command(...["PING"].map(fromUtf8)),
  ]);
  return replies.map((reply) => typeof reply === "string" ? toUtf8(reply) === value : reply);
}

/** Lets two members join a chat, one after the other, and returns what they hear. */
async function talk(address: Address): Promise<string[]> {
  const one = await connect(address, LIMIT);
  const other = await connect(address, LIMIT);
  const joined = await recvLine(one, LIMIT);
  await send(other, new TextEncoder().encode("good morning\n"));
  const heard = await recvLine(one, LIMIT);
  await close(other);
  const left = await recvLine(one, LIMIT);
  await close(one);
  return [joined, heard, left].map((line) => line!.replace(/guest-\d+/, "guest"));
}

console.log(JSON.stringify({
  lines: await askLines(),
  resp: await askResp(),
  chat: await talk(chat),
}));
