import { assertEquals, assertInstanceOf } from "@std/assert";
import { bindUdp, recvFrom, sendTo } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

/** Systems differ in the targets that a loopback interface refuses. */
const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "sendTo() sends to a broadcast address",
  ignore,
  async fn() {
    await using receiver = await bindUdp({ host: "0.0.0.0", port: 0 });
    await using sender = await bindUdp({ host: "127.0.0.1", port: 0 });
    const to = { host: "127.255.255.255", port: receiver.address.port };
    await sendTo(sender, to, bytesOf("all"));
    const { from, bytes } = await soon(recvFrom(receiver));
    assertEquals([from, bytes], [sender.address, bytesOf("all")]);
  },
});

Deno.test({
  name: "U4: sendTo() from 127.0.0.1 to another machine says why not, and does not end the socket",
  ignore,
  async fn() {
    await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
    // The first network is for documentation (RFC 5737); nothing can be sent to the second one (RFC 1112).
    for (const host of ["198.51.100.1", "240.0.0.1"]) {
      for (const options of [undefined, { timeout: 60_000 }]) {
        const error = await rejection(
          () => sendTo(socket, { host, port: 9 }, bytesOf("out"), options),
          "InvalidInput",
          "sendTo",
        );
        assertEquals(
          error.message,
          `sendTo ${host}:9: the socket is bound to 127.0.0.1, which cannot send to other machines`,
        );
        assertEquals(error.address, { host, port: 9 });
        assertInstanceOf(error.cause, Error);
      }
    }
    await sendTo(socket, socket.address, bytesOf("in"));
    assertEquals((await soon(recvFrom(socket))).bytes, bytesOf("in"));
  },
});
