/**
 * Asks a group of multicast DNS from a port of its own, as a resolver that is no member does, and prints the answer.
 *
 * mdns_question.ts OWN_ADDRESS TYPE
 */
import { bindUdp, recvFrom, sendTo } from "../../../mod.ts";
import { decodeMessage, encodeMessage, TYPES } from "../../../examples/mdns_message.ts";

const [host, type] = Deno.args;
await using socket = await bindUdp({ host, port: 0 });
const questions = [{ name: [...type.split("."), "local"], type: TYPES.PTR }];
await sendTo(
  socket,
  { host: "224.0.0.251", port: 5353 },
  encodeMessage({ id: 4711, questions }),
);
const { bytes } = await recvFrom(socket, { timeout: 20_000 });
console.log(JSON.stringify(decodeMessage(bytes)));
