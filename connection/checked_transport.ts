import type { Transport } from "../types.ts";
import { fromRuntimeAddress } from "../core/address_check.ts";
import { ignoreRejection } from "../core/ignored_promises.ts";

/**
 * A transport that is not the runtime's own, made to behave like one: nothing throws synchronously, no
 * count is out of range, a read or write of 0 bytes is tried again once the event loop has turned, and
 * a write ends when the transport is closed. A read is not ended so: its buffer may be a caller's, which
 * nobody may write to after the call.
 */
export class CheckedTransport implements Transport {
  readonly closeWrite: (() => Promise<void>) | undefined;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  readonly localAddr: Deno.NetAddr;
  readonly remoteAddr: Deno.NetAddr;
  readonly #inner: Transport;
  readonly #closed = Promise.withResolvers<never>();
  #isClosed = false;

  constructor(inner: Transport) {
    this.#inner = inner;
    this.localAddr = snapshot(inner.localAddr);
    this.remoteAddr = snapshot(inner.remoteAddr);
    const { closeWrite, ref, unref } = inner;
    this.closeWrite = typeof closeWrite === "function"
      ? async () => await closeWrite.call(inner)
      : undefined;
    const both = typeof ref === "function" && typeof unref === "function";
    this.ref = both ? () => ref.call(inner) : undefined;
    this.unref = both ? () => unref.call(inner) : undefined;
    this.#closed.promise.catch(() => {});
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const room = buffer.length;
    for (;;) {
      const count = await this.#inner.read(buffer);
      if (count === null) return count;
      // What came is in memory that nobody here can see any more.
      if (buffer.length !== room) throw new Error("the buffer to read into was transferred");
      if (checkCount(count, room, "gave") > 0) return count;
      await this.#turn();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const length = bytes.length;
    for (;;) {
      const count = await Promise.race([this.#inner.write(bytes), this.#closed.promise]);
      if (checkCount(count, length, "took") > 0) return count;
      await this.#turn();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#closed.reject(new Deno.errors.Interrupted("operation canceled"));
    // One that is asynchronous fails where nobody is: the connection is closed in any case.
    ignoreRejection(this.#inner.close());
  }

  async #turn(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (this.#isClosed) await this.#closed.promise;
  }
}

/** What it says now; later it may say something else, or throw. */
function snapshot(address: Deno.Addr | undefined): Deno.NetAddr {
  const { host, port } = fromRuntimeAddress(address);
  return { transport: "tcp", hostname: host, port };
}

function checkCount(count: unknown, room: number, verb: string): number {
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= room) {
    return count as number;
  }
  throw new Error(`the transport ${verb} ${String(count)} of ${room} bytes`);
}
