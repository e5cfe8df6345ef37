import type { SocketAddress, Transport, TransportListener } from "../types.ts";
import { callQuietly, CheckedTransport, isTransport } from "./checked_transport.ts";

/**
 * Makes a foreign listener behave like the runtime's own: nothing throws synchronously, and what it accepts is a
 * transport, which is checked in its turn.
 */
export class CheckedListener implements TransportListener {
  readonly address: SocketAddress | undefined;
  readonly ref: (() => void) | undefined;
  readonly unref: (() => void) | undefined;
  readonly #inner: TransportListener;

  /** @param address The address of the listener, if it has one; it is checked. */
  constructor(inner: TransportListener, address: SocketAddress | undefined) {
    this.#inner = inner;
    this.address = address;
    const { ref, unref } = inner;
    const both = typeof ref === "function" && typeof unref === "function";
    this.ref = both ? () => callQuietly(ref, inner) : undefined;
    this.unref = both ? () => callQuietly(unref, inner) : undefined;
  }

  async accept(): Promise<Transport> {
    const transport: unknown = await this.#inner.accept();
    if (!isTransport(transport)) {
      throw new Error("the listener gave no object with read, write and close functions");
    }
    return new CheckedTransport(transport);
  }

  async close(): Promise<void> {
    await this.#inner.close();
  }
}
