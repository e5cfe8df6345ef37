/**
 * Revokes permissions, calls one function, and prints its outcome as JSON.
 *
 *     one_function.ts '{"name": "connect", "host": "127.0.0.1", "aims": {…}, "revoke": ["…"]}'
 *
 * With a host, the handles for the function are made there in advance. `revoke` has hosts as in `--allow-net`, or is
 * `"all"`.
 */
import { SocketError } from "../../../mod.ts";
import { type Aims, FUNCTIONS, makeThings, type Things } from "../support/functions.ts";

interface Task {
  readonly name: string;
  readonly host?: string;
  readonly aims: Aims;
  readonly revoke: readonly string[] | "all";
}

const { name, host, aims, revoke }: Task = JSON.parse(Deno.args[0]);
const things = host === undefined ? {} as Things : await makeThings(host);
if (revoke === "all") await Deno.permissions.revoke({ name: "net" });
else for (const host of revoke) await Deno.permissions.revoke({ name: "net", host });

let report: unknown;
try {
  await FUNCTIONS[name](things, aims);
  report = { done: true };
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  const { kind, operation, message, permission } = error;
  report = { kind, operation, message, permission };
}
console.log(JSON.stringify(report));
Deno.exit(0);
