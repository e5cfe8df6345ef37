/**
 * A server behind HAProxy that keeps an account of every request: `accounting_server.ts PORT`. A request is a line with
 * a name and a length; the answer is a line with the name and the PROXY header, and then `length` bytes. SIGTERM ends
 * the server; its last line is the account.
 */
import {
  type Connection,
  formatAddress,
  listen,
  recvLine,
  send,
  serve,
  type ServeContext,
  SocketError,
} from "../../../mod.ts";

const accepted: string[] = [];
const errors: Record<string, number> = {};

async function answer(connection: Connection, { proxy }: ServeContext): Promise<void> {
  const request = await recvLine(connection);
  // A health check sends no request.
  if (request === null) return;
  const [name, length] = request.split(" ");
  accepted.push(name);
  const details = [
    name,
    formatAddress(connection.remoteAddress),
    proxy!.version,
    proxy!.crc32c ? "crc32c" : "-",
    proxy!.uniqueId === undefined ? "-" : new TextDecoder().decode(proxy!.uniqueId),
    Deno.pid,
  ];
  await send(connection, new TextEncoder().encode(`${details.join(" ")}\n`));
  const part = new Uint8Array(Number(length) / 4);
  for (let count = 0; count < 4; count++) {
    // Other clients are served between the parts of an answer.
    await new Promise((resolve) => setTimeout(resolve, 1));
    await send(connection, part);
  }
}

const listener = await listen({ host: "127.0.0.1", port: Number(Deno.args[0]) });
const server = serve(listener, answer, {
  proxyProtocol: { trust: ["127.0.0.1"] },
  idleTimeout: 30_000,
  onError(error): void {
    const kind = error instanceof SocketError ? `${error.kind} ${error.operation}` : `${error}`;
    errors[kind] = (errors[kind] ?? 0) + 1;
  },
});
Deno.addSignalListener("SIGTERM", () => void server.shutdown({ timeout: 20_000 }));
console.log(`serving on ${formatAddress(server.address)}`);
await server.finished;
const ended = await server.shutdown();
const { refused, accepted: clients } = server;
console.log(JSON.stringify({ accepted, errors, clients, refused, ...ended }));
Deno.exit(0);
