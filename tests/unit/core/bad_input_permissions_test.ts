import { assert, assertEquals } from "@std/assert";
import { requirePermissions } from "../../../mod.ts";
import { WRONG_OBJECTS } from "../../support/hostile.ts";
import { rejection } from "../../support/socket_errors.ts";

const ADDRESS = { host: "127.0.0.1", port: 80 };

Deno.test("E1: requirePermissions() rejects InvalidInput for anything but lists of addresses", async () => {
  const wrong: [what: string, value: unknown, part: string][] = [
    ["nothing", undefined, "the argument is undefined"],
    ["null", null, "the argument is null"],
    ["a list", [ADDRESS], "the argument is an array"],
    ["a text", "127.0.0.1:80", "the argument is"],
    ["a misspelled function", { conect: [ADDRESS] }, '"conect" is none of listen, connect'],
    ["an address", { connect: ADDRESS }, "connect is an object of another kind, not an array"],
    ["null for a list", { listen: null }, "listen is null, not an array"],
    ["a text in a list", { connect: ["127.0.0.1:80"] }, "parseAddress() makes one"],
    ["a hole", { connect: new Array(1) }, "the address is undefined"],
    ["port 0 for connect", { connect: [{ host: "127.0.0.1", port: 0 }] }, "port is 0"],
    ["port 0 for sendTo", { sendTo: [{ host: "127.0.0.1", port: 0 }] }, "port is 0"],
    ["a throwing getter", {
      get listen(): never {
        throw new RangeError("no");
      },
    }, "could not be read"],
  ];
  for (const [what, value, part] of wrong) {
    const error = await rejection(
      () => requirePermissions(value as never),
      "InvalidInput",
      "requirePermissions",
      what,
    );
    assert(error.message.includes(part), `${what}: ${error.message}`);
  }
  for (const [what, value] of WRONG_OBJECTS) {
    for (const name of ["listen", "connect", "bindUdp", "sendTo"]) {
      await rejection(
        () => requirePermissions({ [name]: [value] } as never),
        "InvalidInput",
        "requirePermissions",
        `${what} for ${name}`,
      );
    }
  }
});

Deno.test("requirePermissions() resolves if everything is granted, also for an empty list", async () => {
  assertEquals(await requirePermissions({}), undefined);
  assertEquals(await requirePermissions({ listen: [], connect: undefined }), undefined);
  const free = { host: "127.0.0.1", port: 0 };
  await requirePermissions({
    listen: [free],
    connect: [ADDRESS],
    bindUdp: [free],
    sendTo: [ADDRESS],
  });
});
