/**
 * Calls each function that needs the net, and prints as JSON what came of it: the error's kind, message and permission,
 * or `true`. It runs on Node and Bun.
 */
import {
  type Address,
  bindUdp,
  closeListener,
  closeUdp,
  connect,
  connectTls,
  listen,
  listenTls,
  requirePermissions,
  SocketError,
} from "../../../mod.ts";
import { makeAuthority } from "../../support/certificates.ts";

const address: Address = { host: "127.0.0.1", port: 0 };
/** Nobody listens there. */
const nobody: Address = { host: "127.0.0.1", port: 1 };
const { server: { cert, key } } = await makeAuthority();

const calls: Readonly<Record<string, () => Promise<unknown>>> = {
  requirePermissions: () => requirePermissions({ listen: [address], connect: [nobody] }),
  listen: async () => await closeListener(await listen(address)),
  listenTls: async () => await closeListener(await listenTls(address, { cert, key })),
  connect: () => connect(nobody),
  connectTls: () => connectTls(nobody),
  bindUdp: async () => await closeUdp(await bindUdp(address)),
};

const report: Record<string, unknown> = {};
for (const [name, call] of Object.entries(calls)) {
  report[name] = await call().then(() => true, (error) => {
    if (!(error instanceof SocketError)) throw error;
    const { kind, message, permission } = error;
    return { kind, message, permission };
  });
}
console.log(JSON.stringify(report));
