/**
 * Sends numbered datagrams to a name, and closes the socket without awaiting them.
 *
 * named_sends.ts NAME PORT COUNT
 */
import { bindUdp, closeUdp, sendTo } from "../../../mod.ts";

const [host, port, count] = [Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2])];
const socket = await bindUdp({ host: "127.0.0.1", port: 0 });
for (let number = 0; number < count; number++) {
  const options = number % 2 === 0 ? undefined : { timeout: 30_000 };
  void sendTo(socket, { host, port }, new Uint8Array([number]), options);
}
await closeUdp(socket);
console.log(JSON.stringify("closed"));
