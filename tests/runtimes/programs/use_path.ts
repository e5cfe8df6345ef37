/**
 * Connects to and listens on a path, and prints what has failed as one line of JSON: `use_path.ts PATH`.
 */
import process from "node:process";
import { closeListener, connect, listen, SocketError } from "../../../mod.ts";

const path = process.argv[2];
const CALLS = {
  connect: () => connect({ path }),
  listen: () => listen({ path }),
  "listen, mode": () => listen({ path }, { mode: 0o600 }),
  "listen, replaceStale": () => listen({ path }, { mode: 0o600, replaceStale: true }),
};

const report: Record<string, unknown> = {};
for (const [name, call] of Object.entries(CALLS)) {
  try {
    const opened = await call();
    if ("address" in opened) await closeListener(opened);
    report[name] = "done";
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    const { kind, message, permission } = error;
    report[name] = { kind, message, permission };
  }
}
console.log(JSON.stringify(report));
