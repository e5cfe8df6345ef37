import { assert, assertEquals, assertInstanceOf, fail } from "@std/assert";
import { bindUdp, recvFrom, sendTo, type SocketError } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";
import { bytesOf } from "../../support/text.ts";

/** What a loopback interface does with them differs between systems. */
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
  name: "sendTo() from 127.0.0.1 to another machine is InvalidInput, and does not end the socket",
  ignore,
  async fn() {
    await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
    // Of a network that is for documentation (RFC 5737), and one that nothing can be sent to (RFC 1112).
    for (const host of ["198.51.100.1", "240.0.0.1"]) {
      for (const options of [undefined, { timeout: 60_000 }]) {
        const sending = sendTo(socket, { host, port: 9 }, bytesOf("out"), options);
        const { kind } = await soon(
          sending.then(() => fail("sent"), (error: SocketError) => error),
        );
        // A machine without any route says so before it looks at where the socket is bound.
        assert(["InvalidInput", "Unreachable"].includes(kind), kind);
        const error = await rejection(() => sending, kind, "sendTo");
        assertEquals(error.address, { host, port: 9 });
        assertInstanceOf(error.cause, Error);
      }
    }
    await sendTo(socket, socket.address, bytesOf("in"));
    assertEquals((await soon(recvFrom(socket))).bytes, bytesOf("in"));
  },
});
