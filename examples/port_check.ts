/**
 * Prints which ports of a host accept connections:
 *
 *     deno run --allow-net port_check.ts 127.0.0.1 22 80 443 8000-8010
 *
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { abort, connect, SocketError } from "../mod.ts";
import { exitWithProblem } from "./arguments.ts";

const MOST_AT_ONCE = 64;
const CONNECT_TIMEOUT_MS = 2000;

function portsOf(text: string): number[] {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const [from, to] = [Number(first), Number(last)];
  if (from >= 1 && from <= to && to <= 65535) {
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  }
  exitWithProblem(`ports are from 1 to 65535, such as 80 or 8000-8010, not "${text}"`);
}

async function check(host: string, port: number): Promise<string> {
  try {
    abort(await connect({ host, port }, { timeout: CONNECT_TIMEOUT_MS }));
    return "open";
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    switch (error.kind) {
      case "ConnectionRefused":
        return "closed";
      case "TimedOut":
      case "Unreachable":
        return `filtered (${error.kind})`;
      default:
        return error.message;
    }
  }
}

const [host, ...rest] = Deno.args;
if (host === undefined || rest.length === 0) {
  exitWithProblem("usage: port_check.ts HOST PORT[-PORT]...");
}

const ports = rest.flatMap(portsOf);
for (let start = 0; start < ports.length; start += MOST_AT_ONCE) {
  const group = ports.slice(start, start + MOST_AT_ONCE);
  const found = await Promise.all(group.map((port) => check(host, port)));
  group.forEach((port, index) => console.log(`${port}\t${found[index]}`));
}
