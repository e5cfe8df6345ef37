import type { SocketError } from "../errors.ts";
import type { Connection } from "../types.ts";
import { ANY, type ReceivedBytes } from "./pending_receive.ts";
import { ReadableView } from "./readable_view.ts";
import type { Receiver } from "./receiver.ts";
import type { Sender } from "./sender.ts";
import { ElementReader } from "./view_readers.ts";
import { type WritableTarget, WritableView } from "./writable_view.ts";

/** The functions of a connection that the views call. */
export interface ViewedConnection extends WritableTarget {
  close(): Promise<void>;
}

/**
 * The connection as a pair of streams. Either of the runtime's own views closes the whole connection when it ends; these
 * do when both have ended.
 */
export class WebStreams {
  readonly readable: Connection["readable"];
  readonly writable: Connection["writable"];
  readonly #connection: ViewedConnection;
  readonly #receiver: Receiver;
  readonly #view: ReadableView;
  /** The wait of a pull for the end of another receiving call. */
  #turn: Promise<void> | undefined;
  #readableEnded = false;
  #writableEnded = false;

  constructor(connection: ViewedConnection, sender: Sender, receiver: Receiver) {
    this.#connection = connection;
    this.#receiver = receiver;
    this.readable = this.#view = new ReadableView({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#cancel(),
      takeBack: () => this.#takeBack(),
      busy: () => this.#busy(),
    });
    this.writable = new WritableView(connection, sender, () => {
      this.#writableEnded = true;
      this.#closeIfBothEnded();
    });
  }

  /** Asks for bytes and returns at once: a pull that stays pending would hide the next reader's request. */
  #pull(controller: ReadableByteStreamController): void {
    // The platform pulls for each read that waits, and one call receives for all of them.
    if (this.#readableEnded || this.#receiver.servesView || this.#turn !== undefined) return;
    if (this.#receiver.busy() !== undefined) return this.#waitTurn(controller);
    const reads = this.#view.byobReads;
    const read = reads?.[0];
    const elements = read !== undefined && read.least > 1 ? new ElementReader(read) : undefined;
    this.#receiver.recvForView({
      // Bytes that a reader has no room for would stay in the stream, and recv() could not get them.
      most: read?.most ?? controller.byobRequest?.view?.byteLength ?? ANY,
      decoding: elements,
      isAbandoned: () => !this.readable.locked,
      resolve: (bytes) => {
        if (bytes === null) return this.#end(controller);
        reads?.shift();
        controller.enqueue(bytes as ReceivedBytes);
        if (elements?.last) this.#end(controller);
      },
      reject: (error) => {
        controller.error(error);
        this.#endReadable();
      },
    });
  }

  /** Pulls again after the other call. One overlap must not end the stream for a pipe or an iteration. */
  #waitTurn(controller: ReadableByteStreamController): void {
    const turn = this.#turn = this.#receiver.waitFree();
    void turn.then(() => {
      if (this.#turn !== turn) return;
      this.#turn = undefined;
      if (this.readable.locked) this.#pull(controller);
    });
  }

  #busy(): SocketError | undefined {
    const own = this.#readableEnded || this.#receiver.servesView || this.#turn !== undefined;
    return own ? undefined : this.#receiver.busy();
  }

  #end(controller: ReadableByteStreamController): void {
    try {
      controller.close();
      controller.byobRequest?.respond(0);
    } catch {
      // A reader that the platform made has half an element: `close` has rejected its read, and ended the stream.
    }
    this.#endReadable();
  }

  #cancel(): void {
    this.#takeBack();
    this.#endReadable();
  }

  /** Leaves the bytes that a reader waited for to the next call. */
  #takeBack(): void {
    this.#turn = undefined;
    this.#receiver.leaveView();
  }

  #endReadable(): void {
    this.#readableEnded = true;
    this.#closeIfBothEnded();
  }

  /** Closes in the background, and lingers as usual. */
  #closeIfBothEnded(): void {
    if (this.#readableEnded && this.#writableEnded) this.#connection.close().catch(() => {});
  }
}
