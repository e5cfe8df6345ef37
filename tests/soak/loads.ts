import { equals } from "@std/bytes";
import {
  abort,
  bindUdp,
  close,
  closeUdp,
  closeWrite,
  type Connection,
  encodeProxyHeader,
  framed,
  lines,
  recvExactly,
  recvFrame,
  recvFrom,
  send,
  sendFrame,
  sendTo,
  SocketError,
  type UdpSocket,
} from "../../mod.ts";
import type { Random } from "../support/random.ts";
import { lasting } from "./resources.ts";
import { checksum, dial, dialFramed, hangUp, type Load, numbered, pause } from "./world.ts";

const { signal } = lasting;

/** Connects, sends numbered frames with several under way, receives each of them back, and closes. */
export const framedClient: Load = async (name, world, random) => {
  const { gate, ledger, echo } = world;
  while (await gate.pass(name)) {
    const stream = await dialFramed(echo);
    ledger.counts.connections++;
    const frames = Array.from({ length: 1 + random.below(40) }, (_, n) => numbered(n, random));
    const sending = (async () => {
      for (const [index, frame] of frames.entries()) {
        const sent = sendFrame(stream, frame, random.below(2) === 0 ? { signal } : undefined);
        if (index % 4 === 3) await sent;
        else sent.catch(() => {});
      }
    })();
    let came = 0;
    for (; came < frames.length; came++) {
      const frame = await recvFrame(stream, { signal, timeout: 10_000 });
      if (frame === null || !equals(frame, frames[came])) break;
      ledger.counts.frames++;
      ledger.counts.bytes += frame.length;
    }
    await sending;
    if (came < frames.length) ledger.fail(`${name}: ${came} of ${frames.length} frames came`);
    await partFrom(stream.connection, name, world.ledger.fail.bind(ledger), random);
    await pause(10 + random.below(20));
  }
};

/** Ends a finished conversation in one of several ways. */
async function partFrom(
  connection: Connection,
  name: string,
  fail: (what: string) => void,
  random: Random,
): Promise<void> {
  switch (random.below(3)) {
    case 0: {
      await closeWrite(connection);
      const stream = framed(connection, lines());
      if (await recvFrame(stream, { timeout: 10_000 }) !== null) fail(`${name}: more came`);
      return await close(connection);
    }
    case 1:
      return await close(connection);
    default:
      return abort(connection);
  }
}

/**
 * Keeps one connection as long as the program runs. It receives each frame with calls that time out at once, until one
 * of them gives the frame.
 */
export const lastingClient: Load = async (name, { gate, ledger, echo }, random) => {
  const stream = await dialFramed(echo);
  for (let number = 0; await gate.pass(name); number++) {
    const frame = numbered(number, random);
    await sendFrame(stream, frame, { signal });
    for (;;) {
      try {
        const back = await recvFrame(stream, { signal, timeout: random.below(2) });
        if (back === null || !equals(back, frame)) ledger.fail(`${name}: frame ${number} is lost`);
        break;
      } catch (error) {
        if (!(error instanceof SocketError && error.kind === "TimedOut")) throw error;
        ledger.counts.cancels++;
      }
    }
    ledger.counts.frames++;
    ledger.counts.bytes += frame.length;
    await pause(10);
  }
  await close(stream.connection);
};

/** Sends a PROXY header and lines, and checks that the answers contain the header's address. */
export const proxiedClient: Load = async (name, { gate, ledger, proxied }, random) => {
  while (await gate.pass(name)) {
    const connection = await dial(proxied);
    ledger.counts.connections++;
    const isIPv4 = random.below(2) === 0;
    const source = {
      host: isIPv4 ? `192.0.2.${random.below(256)}` : `2001:db8::${random.below(256) + 1}`,
      port: random.below(65536),
    };
    const destination = { host: isIPv4 ? "192.0.2.2" : "2001:db8::2", port: 443 };
    const header = { source, destination, ...random.below(2) === 0 ? {} : { crc32c: true } };
    const version = "crc32c" in header ? 2 : 1;
    await send(connection, encodeProxyHeader(header, { version }));
    const stream = framed(connection, lines());
    for (let count = random.below(10); count > 0; count--) {
      const line = `${name} ${count} ${"x".repeat(random.below(100))}`;
      await sendFrame(stream, line, { signal });
      const answer = await recvFrame(stream, { signal, timeout: 10_000 });
      const host = isIPv4 ? source.host : new URL(`http://[${source.host}]`).hostname.slice(1, -1);
      if (answer !== `${host} ${source.port} ${line}`) ledger.fail(`${name}: answered ${answer}`);
      ledger.counts.lines++;
      ledger.counts.bytes += line.length + 1;
    }
    await close(connection);
    await pause(20 + random.below(20));
  }
};

/**
 * Sends more than a slow reader takes. Some sends are QueueFull, and some are cancelled while they wait. The reader
 * must count exactly the bytes of the other sends, unless a late cancel tore the stream.
 */
export const bulkClient: Load = async (name, { gate, ledger, slow }, random) => {
  while (await gate.pass(name)) {
    const connection = await dial(slow);
    ledger.counts.connections++;
    const pieces: { readonly bytes: Uint8Array; readonly sent: Promise<unknown> }[] = [];
    for (let left = 4 + random.below(12); left > 0; left--) {
      const bytes = random.bytes(1 + random.below(48 * 1024));
      const controller = new AbortController();
      // Most cancelled sends still wait behind others. The runtime cannot take back a send that it has begun.
      const cancelled = pieces.length % 4 === 2 && random.below(3) === 0;
      const sent = send(connection, bytes, cancelled ? { signal: controller.signal } : undefined)
        .then(() => undefined, (error) => error);
      pieces.push({ bytes, sent });
      if (cancelled) {
        controller.abort();
        ledger.counts.cancels++;
      }
      if (left % 4 === 0) await sent;
    }
    let [count, sum, torn] = [0, 0, false];
    for (const { bytes, sent } of pieces) {
      const error = await sent as SocketError | undefined;
      if (error === undefined) {
        count += bytes.length;
        sum = checksum(bytes, sum);
      } else if (error.bytesSent !== undefined) torn = true;
      else if (error.kind !== "QueueFull" && error.kind !== "Aborted" && error.kind !== "Closed") {
        ledger.fail(`${name}: ${error.message}`);
      }
    }
    if (!torn) {
      await closeWrite(connection);
      const answer = new DataView((await recvExactly(connection, 8, { timeout: 30_000 })).buffer);
      if (answer.getUint32(0) !== count || answer.getUint32(4) !== sum) {
        ledger.fail(`${name}: ${answer.getUint32(0)} of ${count} bytes came`);
      }
      ledger.counts.bytes += count;
    }
    await hangUp(connection);
    await pause(50 + random.below(50));
  }
};

/** Sends datagrams there and back, one after the other, on sockets that are rebound now and then. */
export const udpClient: Load = async (name, { gate, ledger }, random) => {
  const address = { host: "127.0.0.1", port: 0 };
  while (await gate.pass(name)) {
    const [near, far] = [await bindUdp(address), await bindUdp(address)];
    const echo = echoDatagrams(far);
    for (let number = 0; number < 20; number++) {
      const bytes = numbered(number, random);
      await sendTo(near, far.address, bytes, { signal });
      const back = await recvPatiently(near, ledger.counts);
      if (back === undefined || !equals(back, bytes)) ledger.fail(`${name}: a datagram is lost`);
      ledger.counts.datagrams++;
      ledger.counts.bytes += bytes.length;
    }
    await closeUdp(far);
    await echo;
    await closeUdp(near);
    await pause(20);
  }
};

async function echoDatagrams(socket: UdpSocket): Promise<void> {
  for await (const { from, bytes } of socket) await sendTo(socket, from, bytes);
}

async function recvPatiently(
  socket: UdpSocket,
  counts: { cancels: number },
): Promise<Uint8Array | undefined> {
  for (let tries = 0; tries < 2000; tries++) {
    try {
      return (await recvFrom(socket, { signal, timeout: 1 })).bytes;
    } catch (error) {
      if (!(error instanceof SocketError && error.kind === "TimedOut")) throw error;
      counts.cancels++;
    }
  }
  return undefined;
}
