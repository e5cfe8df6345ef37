/**
 * Runs many clients in a process of their own: `clients.ts HOST PORT COUNT KIND`. It prints "ready" after all clients
 * have connected and sent their first bytes. For each line that it reads, it prints the number of open connections.
 */
const [hostname, port, count, kind] = Deno.args;
const MAX_LENGTH = 1024 * 1024;
const AT_ONCE = 200;

/** Makes a frame of the greatest length, without its last byte. */
function unfinished(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + MAX_LENGTH - 1);
  new DataView(bytes.buffer).setUint32(0, MAX_LENGTH);
  return bytes;
}

const first = kind === "stalling" ? unfinished() : new Uint8Array([120]);
let open = 0;

async function write(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
}

async function untilEnd(conn: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(1024);
  try {
    while (await conn.read(buffer) !== null);
  } catch {
    // A reset counts as an end.
  }
  open--;
  conn.close();
}

const clients: Deno.TcpConn[] = [];
let left = Number(count);
async function connectSome(): Promise<void> {
  while (left-- > 0) {
    const conn = await Deno.connect({ hostname, port: Number(port) });
    open++;
    clients.push(conn);
    await write(conn, first);
    void untilEnd(conn);
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, connectSome));
console.log("ready");

if (kind === "trickling") {
  for (const conn of clients) {
    // The clients send at different moments of each second.
    setTimeout(
      () => setInterval(() => void conn.write(first).catch(() => {}), 1000),
      Math.random() * 1000,
    );
  }
}
/** Sends empty lines as fast as the server takes them. */
async function flood(conn: Deno.TcpConn): Promise<void> {
  const lines = new Uint8Array(1024 * 1024).fill(10);
  try {
    for (;;) await write(conn, lines);
  } catch {
    // The server has closed the connection.
  }
}
if (kind === "flooding") { for (const conn of clients) void flood(conn); }
for await (const _ of Deno.stdin.readable) console.log(JSON.stringify(open));
Deno.exit(0);
