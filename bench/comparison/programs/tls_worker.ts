/**
 * Measures TLS on Deno and on Node. It reads one order per line, `contender work milliseconds port`, and answers each
 * with `amount milliseconds`. Its argument is the file of the trusted authority.
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import tls from "node:tls";
import { ECHO, HOST, SINK, SOURCE, type Work } from "../../contenders/work.ts";

/** Both ways of a connection of a contender. */
interface Stream {
  send(bytes: Uint8Array): Promise<unknown>;
  /** Receives something, and gives the number of bytes. */
  receive(): Promise<number>;
  /** Receives into one buffer. */
  receiveInto?(): Promise<number>;
  end(): unknown;
}

type Open = (port: number) => Promise<Stream>;

const NAME = "localhost";
const LARGE_BYTES = 64 * 1024;
const SMALL_BYTES = 64;
const ca = readFileSync(process.argv[2], "utf8");

/** This package, used as its README says. It is loaded on Deno only. */
async function openOurs(port: number): Promise<Stream> {
  const { abort, connectTls, recv, recvInto, send } = await import("../../../mod.ts");
  const connection = await connectTls({ host: HOST, port }, { caCerts: [ca], serverName: NAME });
  const buffer = new Uint8Array(LARGE_BYTES);
  return {
    receiveInto: async () => (await recvInto(connection, buffer))!,
    send: (bytes) => send(connection, bytes),
    receive: async () => (await recv(connection))!.length,
    end: () => abort(connection),
  };
}

function streamOver(conn: Deno.TlsConn): Stream {
  const buffer = new Uint8Array(LARGE_BYTES);
  return {
    receiveInto: async () => (await conn.read(buffer))!,
    async send(bytes) {
      for (let sent = await conn.write(bytes); sent < bytes.length;) {
        sent += await conn.write(bytes.subarray(sent));
      }
    },
    receive: async () => (await conn.read(new Uint8Array(LARGE_BYTES)))!,
    end: () => conn.close(),
  };
}

/** The runtime's own sockets, with all that is known about them. */
async function openRaw(port: number): Promise<Stream> {
  const tcp = await Deno.connect({ hostname: HOST, port });
  tcp.setNoDelay(true);
  const conn = await Deno.startTls(tcp, { hostname: NAME, caCerts: [ca] });
  await conn.handshake();
  return streamOver(conn);
}

/** The runtime's function for the purpose. */
async function openConnectTls(port: number): Promise<Stream> {
  const conn = await Deno.connectTls({ hostname: HOST, port, caCerts: [ca] });
  await conn.handshake();
  return streamOver(conn);
}

async function openNode(port: number): Promise<Stream> {
  const socket = tls.connect({ host: HOST, port, ca, servername: NAME });
  socket.setNoDelay(true);
  await new Promise((resolve, reject) =>
    socket.once("secureConnect", resolve).once("error", reject)
  );
  socket.removeAllListeners("error").on("error", () => {});
  let got = 0;
  let wake: (() => void) | undefined;
  socket.on("data", (bytes) => {
    got += bytes.length;
    wake?.();
  });
  return {
    send: (bytes) => new Promise((resolve) => socket.write(bytes, resolve)),
    async receive() {
      if (got === 0) await new Promise<void>((resolve) => wake = resolve);
      const taken = got;
      got = 0;
      wake = undefined;
      return taken;
    },
    end: () => socket.destroy(),
  };
}

const CONTENDERS: Readonly<Record<string, Open>> = {
  ours: openOurs,
  raw: openRaw,
  connectTls: openConnectTls,
  node: openNode,
};

async function openFor(open: Open, port: number, job: number): Promise<Stream> {
  const stream = await open(port);
  await stream.send(Uint8Array.of(job));
  return stream;
}

const WORKS: Readonly<Record<string, (open: Open, port: number) => Promise<Work>>> = {
  /** Sends 64 KiB, and awaits each. */
  async send(open, port) {
    const stream = await openFor(open, port, SINK);
    const bytes = new Uint8Array(LARGE_BYTES);
    return {
      async batch() {
        for (let left = 64; left > 0; left--) await stream.send(bytes);
        return 64 * bytes.length;
      },
      end: () => stream.end(),
    };
  },
  async receive(open, port) {
    const stream = await openFor(open, port, SOURCE);
    return {
      async batch() {
        let amount = 0;
        while (amount < 4 * 1024 * 1024) amount += await stream.receive();
        return amount;
      },
      end: () => stream.end(),
    };
  },
  async receiveInto(open, port) {
    const stream = await openFor(open, port, SOURCE);
    return {
      async batch() {
        let amount = 0;
        while (amount < 4 * 1024 * 1024) amount += await stream.receiveInto!();
        return amount;
      },
      end: () => stream.end(),
    };
  },
  /** Makes round trips of 64 bytes, which are received into one buffer. */
  async echo(open, port) {
    const stream = await openFor(open, port, ECHO);
    const into = () => stream.receiveInto?.() ?? stream.receive();
    const bytes = new Uint8Array(SMALL_BYTES);
    return {
      async batch() {
        for (let left = 100; left > 0; left--) {
          await stream.send(bytes);
          for (let missing = bytes.length; missing > 0;) missing -= await into();
        }
        return 100;
      },
      end: () => stream.end(),
    };
  },
  /** Connects, shakes hands, sends a byte each way, and drops the connection. */
  connect: (open, port) =>
    Promise.resolve({
      async batch() {
        const stream = await openFor(open, port, ECHO);
        await stream.send(Uint8Array.of(1));
        await stream.receive();
        stream.end();
        return 1;
      },
      end: () => {},
    }),
};

async function measure(work: Work, milliseconds: number): Promise<string> {
  const started = performance.now();
  let amount = 0;
  let elapsed = 0;
  while (elapsed < milliseconds) {
    amount += await work.batch();
    elapsed = performance.now() - started;
  }
  return `${amount} ${elapsed}`;
}

for await (const order of createInterface({ input: process.stdin })) {
  const [contender, name, milliseconds, port] = order.split(" ");
  try {
    const work = await WORKS[name](CONTENDERS[contender], Number(port));
    await measure(work, Number(milliseconds) / 4);
    process.stdout.write(`${await measure(work, Number(milliseconds))}\n`);
    await work.end();
  } catch (error) {
    process.stdout.write(`error ${error}\n`);
  }
}
process.exit(0);
