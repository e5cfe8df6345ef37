import type { Connection } from "../types.ts";
import { ANY } from "./reader_slot.ts";

/** What the views call: the connection's own functions. */
export interface ViewTarget {
  recvDirectly(
    resolve: (bytes: Uint8Array<ArrayBuffer> | null) => void,
    reject: (error: unknown) => void,
    most: number,
  ): void;
  leave(): void;
  send(bytes: Uint8Array): Promise<void>;
  closeWrite(): Promise<void>;
  /** Closes in the background, lingering as usual. */
  closeLater(): void;
  abort(): void;
}

/**
 * The connection as a pair of streams. The runtime's own views close the whole connection when either
 * of them ends; these do when both have.
 */
export class StreamViews {
  readonly readable: Connection["readable"];
  readonly writable: Connection["writable"];
  readonly #target: ViewTarget;
  /** Ends the pull that waits, if one does. */
  #endPull: (() => void) | undefined;
  #readableEnded = false;
  #writableEnded = false;

  constructor(target: ViewTarget) {
    this.#target = target;
    this.readable = new ReadableStream({
      type: "bytes",
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#cancel(),
    }, { highWaterMark: 0 }); // Nothing is read ahead: it would be missing from recv().
    this.writable = new WritableStream<Uint8Array>({
      write: (bytes) => this.#write(bytes),
      close: () => this.#close(),
      abort: () => target.abort(),
    });
  }

  #pull(controller: ReadableByteStreamController): Promise<void> {
    // More than a reader has room for would stay in the stream, where recv() cannot get it.
    const most = controller.byobRequest?.view?.byteLength ?? ANY;
    return new Promise<void>((resolve, reject) => {
      this.#endPull = resolve;
      this.#target.recvDirectly((bytes) => {
        this.#endPull = undefined;
        if (bytes === null) this.#end(controller);
        else controller.enqueue(bytes);
        resolve();
      }, (error) => {
        this.#endPull = undefined;
        this.#endReadable();
        reject(error);
      }, most);
    });
  }

  #end(controller: ReadableByteStreamController): void {
    controller.close();
    controller.byobRequest?.respond(0);
    this.#endReadable();
  }

  /** A pull that is under way is taken back, so that its bytes stay with the connection. */
  #cancel(): void {
    if (this.#endPull !== undefined) {
      this.#target.leave();
      this.#endPull();
      this.#endPull = undefined;
    }
    this.#endReadable();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#target.send(bytes);
    } catch (error) {
      this.#endWritable();
      throw error;
    }
  }

  async #close(): Promise<void> {
    try {
      await this.#target.closeWrite();
    } finally {
      this.#endWritable();
    }
  }

  #endReadable(): void {
    this.#readableEnded = true;
    if (this.#writableEnded) this.#target.closeLater();
  }

  #endWritable(): void {
    this.#writableEnded = true;
    if (this.#readableEnded) this.#target.closeLater();
  }
}
