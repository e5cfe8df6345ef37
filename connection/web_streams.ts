import type { SocketError } from "../errors.ts";
import type { Connection } from "../types.ts";
import { ElementRead } from "./element_read.ts";
import { ReadableView } from "./readable_view.ts";
import { ANY, type DirectCall } from "./pending_receive.ts";
import { type WritableTarget, WritableView } from "./writable_view.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** The connection's own functions, as far as the views call them. */
export interface ViewTarget extends WritableTarget {
  readonly receivesDirectly: boolean;
  recvDirectly(call: DirectCall): void;
  leave(): void;
  busy(): SocketError | undefined;
  waitFree(): Promise<void>;
  /** Closes in the background, lingering as usual. */
  closeLater(): void;
}

/**
 * The connection as a pair of streams. The runtime's own views close the whole connection when either
 * of them ends; these do when both have.
 */
export class WebStreams {
  readonly readable: Connection["readable"];
  readonly writable: Connection["writable"];
  readonly #target: ViewTarget;
  readonly #view: ReadableView;
  /** A pull that waits for another receiving call to end. */
  #turn: Promise<void> | undefined;
  #readableEnded = false;
  #writableEnded = false;

  constructor(target: ViewTarget) {
    this.#target = target;
    this.readable = this.#view = new ReadableView({
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#cancel(),
      takeBack: () => this.#takeBack(),
      busy: () => this.#busy(),
    });
    this.writable = new WritableView(target, () => {
      this.#writableEnded = true;
      this.#closeIfBothEnded();
    });
  }

  /** Returns at once: a pull that stays pending would hide the next reader's request. */
  #pull(controller: ReadableByteStreamController): void {
    // It is asked again for each read that waits, and one call receives for all of them.
    if (this.#readableEnded || this.#target.receivesDirectly || this.#turn !== undefined) return;
    if (this.#target.busy() !== undefined) return this.#waitForTurn(controller);
    const reads = this.#view.byobReads;
    const read = reads?.[0];
    const elements = read !== undefined && read.least > 1 ? new ElementRead(read) : undefined;
    this.#target.recvDirectly({
      // More than a reader has room for would stay in the stream, where recv() cannot get it.
      most: read?.most ?? controller.byobRequest?.view?.byteLength ?? ANY,
      decoding: elements,
      abandoned: () => !this.readable.locked,
      resolve: (bytes) => {
        if (bytes === null) return this.#end(controller);
        reads?.shift();
        controller.enqueue(bytes as Bytes);
        if (elements?.last) this.#end(controller);
      },
      reject: (error) => {
        controller.error(error);
        this.#endReadable();
      },
    });
  }

  /** One overlap must not end the stream: whoever pipes or iterates gets what comes after that call. */
  #waitForTurn(controller: ReadableByteStreamController): void {
    const turn = this.#turn = this.#target.waitFree();
    void turn.then(() => {
      if (this.#turn !== turn) return;
      this.#turn = undefined;
      if (this.readable.locked) this.#pull(controller);
    });
  }

  #busy(): SocketError | undefined {
    const own = this.#readableEnded || this.#target.receivesDirectly || this.#turn !== undefined;
    return own ? undefined : this.#target.busy();
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

  /** The bytes that were asked for stay with the connection. */
  #takeBack(): void {
    this.#turn = undefined;
    if (this.#target.receivesDirectly) this.#target.leave();
  }

  #endReadable(): void {
    this.#readableEnded = true;
    this.#closeIfBothEnded();
  }

  #closeIfBothEnded(): void {
    if (this.#readableEnded && this.#writableEnded) this.#target.closeLater();
  }
}
