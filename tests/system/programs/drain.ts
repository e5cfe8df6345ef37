/**
 * Takes what clients send over TCP until it is killed, and prints its port. It runs on Deno, Node and Bun.
 */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

const server = createServer((client) => {
  client.on("error", () => {});
  client.resume();
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
