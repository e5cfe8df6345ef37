import type { ChunkTransport } from "../bytes/chunk_transport.ts";
import type { TransportAddress } from "../types.ts";
import { answerInTurn } from "../core/event_loop_turn.ts";
import { closedUnderneath } from "./accept_queue.ts";
import { ReceivedChunks } from "./received_chunks.ts";
import type { NodeSocket, SocketObserver } from "./node_socket.ts";

/**
 * Bytes that one write takes at most. The runtime reports a write only when the system has taken all of it, so smaller
 * writes show how far a large send has come.
 */
const LARGEST_WRITE_BYTES = 256 * 1024;

/**
 * The transport of a connection over a socket of Node. It goes on reading after each read, and stops when something has
 * come that nobody waits for: to stop and start again for each read would cost two system calls.
 */
export class NodeStream extends ReceivedChunks implements ChunkTransport, SocketObserver {
  readonly localAddr: TransportAddress;
  readonly remoteAddr: TransportAddress;
  readonly #socket: NodeSocket;
  #write: PromiseWithResolvers<number> | undefined;
  #writeLength = 0;
  /** Writes whose callbacks have not come, although they were answered. */
  #answered = 0;
  #writeFailure: Error | undefined;

  constructor(socket: NodeSocket, localAddr: TransportAddress, remoteAddr: TransportAddress) {
    super();
    this.#socket = socket;
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
    socket.observe(this);
    socket.unref();
  }

  /** Makes the transport of a TCP connection. */
  static overTcp(socket: NodeSocket): NodeStream {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    return new NodeStream(
      socket,
      addressOf(localAddress, localPort),
      addressOf(remoteAddress, remotePort),
    );
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.closed) return Promise.reject(closedUnderneath());
    if (this.#writeFailure !== undefined) return Promise.reject(this.#writeFailure);
    const part = bytes.length > LARGEST_WRITE_BYTES
      ? bytes.subarray(0, LARGEST_WRITE_BYTES)
      : bytes;
    const { length } = part;
    this.#socket.write(part, this.#onWritten);
    if (this.#socket.taken) {
      this.#answered += 1;
      // A program that awaits one send after the other would keep timers and other sockets waiting for ever.
      return answerInTurn(length);
    }
    this.#writeLength = length;
    this.#write = Promise.withResolvers();
    return this.#write.promise;
  }

  closeWrite(): Promise<void> {
    if (this.closed) return Promise.reject(closedUnderneath());
    if (this.#writeFailure !== undefined) return Promise.reject(this.#writeFailure);
    return new Promise((resolve, reject) => {
      this.#socket.end((error?: Error | null) => error ? reject(error) : resolve());
    });
  }

  close(): void {
    const read = this.endReads();
    const write = this.#write;
    this.#write = undefined;
    // The runtime would report a write that it gives up as a success.
    write?.reject(closedUnderneath());
    // The descriptor is free when the socket says so.
    if (read !== undefined) this.#socket.once("close", () => read.reject(closedUnderneath()));
    this.#socket.dispose();
  }

  onBytes(bytes: Uint8Array<ArrayBuffer>): boolean {
    return this.add(bytes);
  }

  onEnd(): void {
    this.end();
  }

  onFailure(error: Error): void {
    // Only a read fails here: the callbacks of a write and of a half-close get their own failures as well.
    if ((error as { syscall?: string }).syscall === "read") this.fail(error);
  }

  protected override start(): void {
    this.#socket.startReading();
  }

  protected override hold(on: boolean): void {
    if (on) this.#socket.ref();
    else this.#socket.unref();
  }

  readonly #onWritten = (error: Error | null | undefined): void => {
    if (this.#answered > 0) {
      this.#answered -= 1;
      return;
    }
    const write = this.#write;
    this.#write = undefined;
    if (error) {
      // The stream calls back for no write after one that failed.
      this.#writeFailure = error;
      write?.reject(error);
    } else {
      write?.resolve(this.#writeLength);
    }
  };
}

function addressOf(hostname: string | undefined, port: number | undefined): TransportAddress {
  return { transport: "tcp", hostname, port };
}
