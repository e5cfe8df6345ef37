import { assertEquals } from "@std/assert";
import { bindUdp, recvFrom, sendTo } from "../../mod.ts";
import { soon } from "../support/socket_errors.ts";
import { bytesOf } from "../support/text.ts";

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
