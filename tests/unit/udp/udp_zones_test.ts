import { assert, assertEquals } from "@std/assert";
import { bindUdp, closeListener, connect, listen, recvFrom, sendTo } from "../../../mod.ts";
import { rejection, soon } from "../../support/socket_errors.ts";

/** The loopback interface by its number, which is 1 on Linux. Only link-local addresses take the name of a zone. */
const LOOPBACK = "::1%1";
const ignore = Deno.build.os !== "linux";

Deno.test({
  name: "bindUdp() and sendTo() take an IPv6 zone, and the bound address keeps it",
  ignore,
  async fn() {
    await using socket = await bindUdp({ host: LOOPBACK, port: 0 });
    assertEquals(socket.address.host, LOOPBACK);
    await sendTo(socket, socket.address, new Uint8Array([1]));
    const { from, bytes } = await soon(recvFrom(socket));
    assertEquals([from, bytes[0]], [{ host: "::1", port: socket.address.port }, 1]);
  },
});

Deno.test({
  name: "listen() and connect() take an IPv6 zone, and the listener's address keeps it",
  ignore,
  async fn() {
    const listener = await listen({ host: LOOPBACK, port: 0 });
    assertEquals(listener.address.host, LOOPBACK);
    await using connection = await connect(listener.address);
    assertEquals(connection.remoteAddress, { host: "::1", port: listener.address.port });
    await closeListener(listener);
  },
});

Deno.test({
  name: "an unknown zone is HostNotFound, or a refusal that says so in sendTo()",
  ignore,
  async fn() {
    const nowhere = { host: "fe80::1%no-such-zone", port: 9 };
    for (
      const { operation, call } of [
        { operation: "bindUdp", call: () => bindUdp(nowhere) },
        { operation: "listen", call: () => listen(nowhere) },
        { operation: "connect", call: () => connect(nowhere) },
      ]
    ) {
      assertEquals((await rejection(call, "HostNotFound", operation)).address, nowhere);
    }
    await using socket = await bindUdp({ host: "::", port: 0 });
    const { kind, message, address } = await sendTo(socket, nowhere, new Uint8Array(1))
      .then(() => ({ kind: "sent", message: "", address: undefined }), (error) => error);
    assert(["HostNotFound", "Other"].includes(kind), kind);
    assert(kind === "HostNotFound" || message.includes("no such zone"), message);
    assertEquals(address, nowhere);
  },
});

Deno.test("sendTo() to a zone from an IPv4 socket is InvalidInput", async () => {
  await using socket = await bindUdp({ host: "127.0.0.1", port: 0 });
  const call = () => sendTo(socket, { host: "fe80::1%eth0", port: 9 }, new Uint8Array(1));
  const error = await rejection(call, "InvalidInput", "sendTo");
  assert(error.message.includes("cannot send to IPv6"), error.message);
});
