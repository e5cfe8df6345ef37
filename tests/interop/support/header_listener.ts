import { concat } from "@std/bytes";
import { deadline } from "@std/async";
import { parseProxyHeader } from "../../../proxy_protocol/read_header.ts";
import type { ProxyHeader } from "../../../mod.ts";

const PATIENCE_MS = 20_000;

/** A connection that began with a header. */
export interface Introduced extends Disposable {
  readonly header: ProxyHeader;
  /** The bytes of the header. */
  readonly raw: Uint8Array;
  /** Gives the bytes behind the header, after `length` of them have come. */
  rest(length: number): Promise<Uint8Array>;
}

/** A plain listener behind HAProxy. */
export class HeaderListener implements Disposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  get port(): number {
    return (this.#listener.addr as Deno.NetAddr).port;
  }

  /** Gives the next connection, after its whole header has come. */
  async next(): Promise<Introduced> {
    const connection = await deadline(this.#listener.accept(), PATIENCE_MS);
    let bytes = new Uint8Array();
    const more = async () => {
      const buffer = new Uint8Array(4096);
      const count = await deadline(connection.read(buffer), PATIENCE_MS);
      if (count === null) throw new Error(`the stream ended after ${bytes.toHex()}`);
      bytes = concat([bytes, buffer.subarray(0, count)]);
    };
    try {
      for (;;) {
        const parsed = parseProxyHeader(bytes);
        if ("header" in parsed) {
          const { header, length } = parsed;
          const rest = async (count: number) => {
            while (bytes.length < length + count) await more();
            return bytes.slice(length);
          };
          const close = () => connection.close();
          return { header, raw: bytes.slice(0, length), rest, [Symbol.dispose]: close };
        }
        await more();
      }
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
  }
}
