import { deadline } from "@std/async";
import { equals } from "@std/bytes";
import {
  abort,
  closeWrite,
  type Connection,
  recv,
  send,
  type SocketAddress,
  SocketError,
} from "../../../mod.ts";
import { turn } from "./sequence.ts";
import type { Nature } from "./side.ts";

/** A promise that has not settled by then never will (ms). */
const SETTLE_TIMEOUT_MS = 60_000;

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | ReadableStreamBYOBReader;

/** A receiving call of any kind. */
interface Receiving {
  readonly what: string;
  readonly released: () => boolean;
  /** The minimum number of bytes: the size of an element, or the requested number. */
  readonly least: number;
}

/**
 * One end of a connection that is used by its functions and by its stream views. Every way to receive must give the
 * next bytes that the peer sent.
 */
export class ViewSide {
  readonly name: string;
  readonly connection: Connection<SocketAddress>;
  readonly nature: Nature;
  peer!: ViewSide;
  /** All bytes that were sent, and the number of those that certainly left. */
  sent: number[] = [];
  certain = 0;
  received = 0;
  /** The pieces that were received in this turn, and the number of bytes before them. */
  readonly #fresh: Uint8Array[] = [];
  #matched = 0;
  #sendFailed = false;
  /** Writes of the view that are under way. */
  #viewWrites = 0;
  /** True after the sending side has ended. */
  finished = false;
  /** True after an abort, or after both views have ended. */
  closed = false;
  ended = false;
  #readableEnded = false;
  #writableEnded = false;
  #reader: Reader | undefined;
  #pipe: AbortController | undefined;
  #teed = false;
  /** The number of pending receiving calls. */
  #pending = 0;
  readonly #settling: Promise<void>[] = [];
  failure: Error | undefined;

  constructor(name: string, connection: Connection<SocketAddress>, nature: Nature) {
    this.name = name;
    this.connection = connection;
    this.nature = nature;
  }

  get #locked(): boolean {
    return this.connection.readable.locked;
  }

  send(bytes: Uint8Array, throughView: boolean): void {
    // A write that waits in the stream is sent after the sends of the functions in the meantime.
    if (this.finished || this.closed || this.#viewWrites > 0) return;
    if (throughView) this.#viewWrites++;
    for (const byte of bytes) this.sent.push(byte);
    const sending = throughView ? this.#write(bytes) : send(this.connection, bytes);
    this.#note(
      sending.finally(() => this.#viewWrites -= throughView ? 1 : 0).then(() => {
        if (!this.#sendFailed) this.certain += bytes.length;
      }, (error) => {
        this.#sendFailed = true;
        this.#endWritable(throughView);
        const gone = this.closed || this.peer.closed || throughView && this.finished;
        this.#check(gone && error instanceof SocketError, `send failed: ${error}`);
      }),
    );
  }

  #write(bytes: Uint8Array): Promise<void> {
    const writer = this.connection.writable.getWriter();
    writer.closed.catch(() => {});
    const written = writer.write(bytes);
    writer.releaseLock();
    return written;
  }

  /** Reads from the view. `byob` has the class and the length of the buffer's view. */
  read(make: (() => ArrayBufferView<ArrayBuffer>) | undefined, min: number): void {
    const mode = make === undefined ? undefined : "byob" as const;
    const held = this.#reader instanceof ReadableStreamBYOBReader ? "byob" : undefined;
    if (this.#reader !== undefined && held !== mode) return;
    if (this.#reader === undefined && this.#locked) return;
    const reader = this.#reader ??= this.connection.readable.getReader(
      { mode } as { mode: "byob" },
    );
    const view = make?.();
    const element = (view as { BYTES_PER_ELEMENT?: number } | undefined)?.BYTES_PER_ELEMENT ?? 1;
    const options = min > 1 ? { min } : undefined;
    const reading = reader.read(view as Uint8Array<ArrayBuffer>, options) as Promise<
      ReadableStreamReadResult<ArrayBufferView>
    >;
    const call = {
      what: `read(${view?.constructor.name ?? ""})`,
      released: () => this.#reader !== reader,
      least: element * min,
    };
    this.#receive(call, reading, ({ done, value }) => {
      if (value !== undefined && value.byteLength > 0) {
        this.#check(value.byteLength % element === 0, "half an element");
        this.#take(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      }
      if (done && !this.#readableEnded) this.#endReadable(true);
    });
  }

  releaseLock(): void {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.releaseLock();
  }

  /** Calls any function that receives. */
  call(what: string, least: number, make: () => Promise<Uint8Array | null>): void {
    this.#receive({ what, released: () => false, least }, make(), (bytes) => {
      if (bytes === null) this.#noteEnd();
      else this.#take(bytes);
    });
  }

  /** Takes one chunk by an iteration, and leaves the iteration. */
  iterate(): void {
    if (this.#locked) return;
    const iterator = this.connection.readable.values({ preventCancel: true });
    const call = { what: "iteration", released: () => false, least: 1 };
    this.#receive(call, iterator.next(), ({ done, value }) => {
      if (done) this.#endReadable(true);
      else this.#take(value);
      this.#note(Promise.resolve(iterator.return?.()).then(() => {}));
    });
  }

  /** Pipes the view until it is stopped. */
  pipe(): void {
    if (this.#locked) return;
    const { signal } = this.#pipe = new AbortController();
    const sink = new WritableStream<Uint8Array>({ write: (bytes) => this.#take(bytes) });
    const piping = this.connection.readable.pipeTo(sink, { signal, preventCancel: true });
    const call = { what: "pipe", released: () => signal.aborted, least: 1 };
    this.#receive(call, piping, () => this.#endReadable(true));
  }

  stopPipe(): void {
    this.#pipe?.abort(new TypeError("stopped"));
  }

  /** Tees the view, and reads both branches to the end. */
  tee(): void {
    if (this.#locked) return;
    this.#teed = true;
    const [left, right] = this.connection.readable.tee();
    let [here, there] = [0, 0];
    const count = right.pipeTo(
      new WritableStream({ write: (bytes) => void (there += bytes.length) }),
    );
    const take = left.pipeTo(
      new WritableStream({
        write: (bytes) => {
          here += bytes.length;
          this.#take(bytes);
        },
      }),
    );
    const call = { what: "tee", released: () => false, least: 1 };
    this.#receive(call, Promise.all([count, take]), () => {
      this.#check(here === there, `branches of ${here} and ${there} bytes`);
      this.#endReadable(true);
    });
  }

  cancel(): void {
    if (this.#locked && this.#reader === undefined) return;
    this.#endReadable(false);
    const { readable } = this.connection;
    this.#note((this.#reader ?? readable).cancel().catch(() => {}));
  }

  finish(throughView: boolean): void {
    if (this.finished) return;
    this.finished = true;
    const ending = throughView ? this.connection.writable.close() : closeWrite(this.connection);
    this.#note(ending.then(() => this.#endWritable(throughView), (error) => {
      this.#endWritable(throughView);
      const gone = this.closed || this.peer.closed || this.#sendFailed;
      this.#check(gone, `the end failed: ${error}`);
    }));
    // The end of the view may close the connection at the same moment.
    if (throughView && this.#readableEnded) this.closed = true;
  }

  abort(throughView: boolean): void {
    // After a writable has ended, its abort has no effect.
    if (throughView && this.#writableEnded) return;
    this.closed = this.finished = true;
    if (!throughView) return abort(this.connection);
    this.#note(this.connection.writable.abort().catch(() => {}));
  }

  /** Releases the lock, receives the rest, and compares. */
  async drain(): Promise<void> {
    this.releaseLock();
    this.stopPipe();
    await turn();
    while (!this.closed && !this.ended && this.failure === undefined) {
      if (this.#pending > 0) {
        await this.#all();
        continue;
      }
      this.call("last recv", 1, () => recv(this.connection));
      await this.#all();
    }
  }

  async settle(): Promise<void> {
    abort(this.connection);
    this.closed = true;
    await this.#all();
    await turn();
    this.#match();
    if (this.failure !== undefined) throw this.failure;
    const { bytesReceived } = this.connection;
    this.#check(bytesReceived === this.received, `${bytesReceived} counted, ${this.received} came`);
    if (this.failure !== undefined) throw this.failure;
  }

  async #all(): Promise<void> {
    const names = `${this.name}, ${this.#pending} receiving calls`;
    await deadline(Promise.all(this.#settling), SETTLE_TIMEOUT_MS).catch((error) => {
      throw error.name === "TimeoutError" ? new Error(`${names}: do not settle`) : error;
    });
  }

  #receive<T>(call: Receiving, promise: Promise<T>, take: (value: T) => void): void {
    const overlaps = this.#pending > 0;
    this.#pending += 1;
    this.#note(promise.then((value) => {
      this.#pending -= 1;
      take(value);
    }, (error) => {
      this.#pending -= 1;
      this.#judge(call, error, overlaps);
    }));
  }

  #judge({ what, released, least }: Receiving, error: unknown, overlaps: boolean): void {
    if (error instanceof TypeError) return this.#check(released(), `${what}: ${error}`);
    if (!(error instanceof SocketError)) return this.#check(false, `${what}: ${error}`);
    const { kind } = error;
    const view = !/recv/.test(what);
    if (kind === "Busy") return this.#check(overlaps, `${what} is Busy, and nothing is pending`);
    if (view) this.#endReadable(false);
    // A peer that aborts sends no `close_notify` (T2).
    const isTruncation = this.nature.tls !== undefined && this.peer.closed;
    const because: Record<string, boolean> = {
      // Both views may have ended in this turn, and so have closed the connection. Their own calls report that later.
      Closed: this.closed || this.peer.closed ||
        this.finished && (this.#readableEnded || this.peer.finished),
      // A view repeats the error that broke it.
      UnexpectedEof: least > 1 && this.peer.finished || this.#readableEnded || isTruncation,
      ConnectionReset: this.peer.closed,
      BrokenPipe: this.peer.closed,
    };
    this.#check(because[kind] ?? false, `${what}: ${error.message}`);
    // On Node and Bun a peer that aborts with unread input resets the connection. Nothing more comes then.
    const isOver = kind === "Closed" || kind === "ConnectionReset" ||
      kind === "UnexpectedEof" && isTruncation;
    if (isOver) this.closed = true;
  }

  /**
   * Records a received piece. A pipe passes its chunk on some microtasks late, after a function may have given the
   * next.
   */
  #take(bytes: Uint8Array): void {
    this.#check(bytes.length > 0, "no bytes");
    this.received += bytes.length;
    this.#fresh.push(bytes.slice());
    if (this.#fresh.length === 1) this.#note(turn().then(() => this.#match()));
  }

  /** Checks that the pieces of one turn are the next bytes of the peer, each piece once. */
  #match(): void {
    const { sent } = this.peer;
    while (this.#fresh.length > 0) {
      const at = this.#matched;
      const next = this.#fresh.findIndex((piece) =>
        equals(piece, Uint8Array.from(sent.slice(at, at + piece.length)))
      );
      if (next < 0) return this.#check(false, `other bytes than those at ${at}`);
      this.#matched += this.#fresh.splice(next, 1)[0].length;
    }
  }

  #noteEnd(): void {
    this.ended = true;
    const { peer } = this;
    this.#check(peer.finished || peer.closed, "the end of a stream that has not ended");
    if (peer.closed || this.closed) return;
    this.#check(this.received >= peer.certain, `the end at ${this.received} of ${peer.certain}`);
  }

  #endReadable(atEnd: boolean): void {
    // A stream that a cancel closed does not report the end of the connection.
    if (atEnd && !this.#readableEnded) this.#noteEnd();
    this.#readableEnded = true;
    if (this.#writableEnded) this.closed = true;
  }

  #endWritable(throughView: boolean): void {
    if (!throughView) return;
    this.#writableEnded = true;
    if (this.#readableEnded) this.closed = true;
  }

  #note(settling: Promise<void>): void {
    this.#settling.push(settling.catch((error) => void (this.failure ??= error)));
  }

  #check(holds: boolean, what: string): void {
    if (!holds) this.failure ??= new Error(`${this.name}: ${what}`);
  }
}
