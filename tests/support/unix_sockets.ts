import {
  type Connection,
  type ConnectOptions,
  listen,
  send,
  type SocketAddress,
  type UnixAddress,
} from "../../mod.ts";
import { type Pair, pairOf } from "./tcp_pair.ts";
import { turns } from "./turns.ts";

/** A directory for socket files. Disposing removes it with all that is in it. */
export class SocketFolder implements AsyncDisposable {
  readonly path: string;
  #count = 0;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<SocketFolder> {
    return new SocketFolder(await Deno.makeTempDir({ prefix: "sockets-" }));
  }

  /** Gives a path that nobody has yet. */
  next(): UnixAddress {
    return { path: `${this.path}/${this.#count++}.sock` };
  }

  /** Names the files. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(this.path)) names.push(name);
    return names.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** Two ends of one connection over a Unix socket. Disposing drops them, their listener and its folder. */
export type UnixPair = Pair<UnixAddress>;

export async function unixPair(options?: ConnectOptions): Promise<UnixPair> {
  const folder = await SocketFolder.make();
  const pair = await pairOf(await listen(folder.next()), options);
  return {
    ...pair,
    async [Symbol.asyncDispose](): Promise<void> {
      await pair[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/**
 * Sends bytes that nobody takes from the system, so that the peer's `abort` resets the connection. Node and Bun read on
 * after a read, once: what comes a turn later stays.
 */
export async function leaveUnread(connection: Connection<SocketAddress>): Promise<void> {
  for (let time = 0; time < 3; time++) {
    await send(connection, new Uint8Array([0]));
    await turns();
  }
}
