/**
 * Calls one function after taking permissions away, and says how it went.
 *
 *     one_function.ts '{"name": "connect", "host": "127.0.0.1", "aims": {…}, "revoke": ["…"]}'
 *
 * With a host, what the function is called with is made there before; `revoke` has hosts as in
 * `--allow-net`, or is `"all"`.
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

let told: unknown;
try {
  await FUNCTIONS[name](things, aims);
  told = { done: true };
} catch (error) {
  if (!(error instanceof SocketError)) throw error;
  const { kind, operation, message, permission } = error;
  told = { kind, operation, message, permission };
}
console.log(JSON.stringify(told));
Deno.exit(0);
