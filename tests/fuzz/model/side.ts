import { assert } from "@std/assert";
import { concat } from "@std/bytes";
import {
  abort,
  close,
  closeWrite,
  type Connection,
  framed,
  type FramedConnection,
  lengthPrefixed,
  recv,
  recvExactly,
  recvFrame,
  recvFrames,
  recvInto,
  send,
  sendFrame,
  sendFrames,
  type SocketAddress,
  type SocketError,
} from "../../../mod.ts";
import { Call, type Cancels, type Limits, type Options, type Outcome } from "./call.ts";

/** A codec for frames of at most 100 bytes. Any byte of a stream may be read as a length. */
export const CODEC = lengthPrefixed({ bytes: 1, maxLength: 100 });

/** The functions that send. The last two take the bytes in parts: `send` with an array, and `sendFrames`. */
export type Sending = "send" | "sendFrame" | "sendPieces" | "sendFrames";

/** Cuts bytes into parts, of which some are empty. */
function partsOf(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = (bytes[at] + parts.length) % 90;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

/** Returns the bytes of a frame on the wire. */
function wireOf(frame: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([frame.length, ...frame]);
}

/** A send and its outcome. */
export interface Sent {
  readonly bytes: Uint8Array;
  outcome: Outcome<void> | undefined;
}

/** A receiving call that has ended. */
export interface Got {
  readonly name: "recv" | "recvInto" | "recvExactly" | "recvFrame" | "recvFrames";
  /** The requested number of bytes: a maximum for `recv` and `recvInto`, exact for `recvExactly`. */
  readonly wanted: number;
  /** The bytes; of `recvFrames`, the bytes of the frames on the wire. */
  readonly outcome: Outcome<Uint8Array | null>;
}

/** The behaviour of a side's transport after the peer is gone. */
export interface Nature {
  readonly name: string;
  /** True if all bytes arrive that were written before any kind of end. */
  readonly keepsAll: boolean;
  /** The nature of TLS, if it is one. */
  readonly tls: TlsNature | undefined;
}

/** The behaviour of TLS, whose end of stream comes after `close_notify` only (T2). */
export interface TlsNature {
  /** True if the peer sends `close_notify` when it aborts. */
  readonly peerSaysEndAtAbort: boolean;
}

/**
 * One end of a connection and its model. It makes the calls, and judges each outcome in the turn in which it comes, by
 * the events until then.
 */
export class Side {
  readonly name: string;
  readonly connection: Connection<SocketAddress>;
  readonly nature: Nature;
  readonly cancels: Cancels;
  readonly limit: number;
  peer!: Side;
  readonly calls: Call<unknown>[] = [];
  readonly sent: Sent[] = [];
  readonly got: Got[] = [];
  /** True after `closeWrite` or another call that ends the sending side. */
  finished = false;
  /** True after `close` or `abort`, or after a torn send. */
  closed = false;
  /** True if all pending calls will fail. */
  dropped = false;
  /** The first reported end of the peer's stream, which every later call must repeat. */
  ending: "end" | "reset" | "truncation" | undefined;
  /** True after a call that ends the stream in order, and may still be cancelled. */
  saidEnd = false;
  sendBroken = false;
  /** True if the side was reset instead of closed. */
  wasReset = false;
  /** True after a receiving call failed with a reset. */
  #broken = false;
  #receiving: Call<unknown> | undefined;
  #framed: FramedConnection<Uint8Array, Uint8Array, SocketAddress>;

  constructor(
    name: string,
    connection: Connection<SocketAddress>,
    nature: Nature,
    cancels: Cancels,
    limit: number,
  ) {
    this.name = name;
    this.connection = connection;
    this.nature = nature;
    this.cancels = cancels;
    this.limit = limit;
    this.#framed = framed(connection, CODEC);
  }

  get receiving(): Call<unknown> | undefined {
    return this.#receiving?.pending ? this.#receiving : undefined;
  }

  /** The number of bytes of pending sends. */
  get unsettled(): number {
    return this.sent.reduce(
      (sum, { bytes, outcome }) => outcome === undefined ? sum + bytes.length : sum,
      0,
    );
  }

  send(bytes: Uint8Array, limits: Limits, how: Sending): void {
    const { options, already } = this.cancels.make(limits);
    const parts = partsOf(bytes);
    const wire = how === "sendFrame"
      ? wireOf(bytes)
      : how === "sendFrames"
      ? concat(parts.map(wireOf))
      : bytes;
    const due = this.closed || this.finished ? "Closed" : already;
    const fits = this.unsettled + wire.length <= this.limit || this.unsettled === 0;
    const broken = this.sendBroken;
    const record: Sent = { bytes: wire, outcome: undefined };
    this.sent.push(record);
    this.#call(how, limits, this.#begin(how, bytes, parts, options), (call, outcome) => {
      record.outcome = outcome;
      this.#judgeSend(call, record, due, fits, broken);
    });
  }

  #begin(
    how: Sending,
    bytes: Uint8Array,
    parts: Uint8Array[],
    options: Options | undefined,
  ): Promise<void> {
    switch (how) {
      case "send":
        return send(this.connection, bytes, options);
      case "sendPieces":
        return send(this.connection, parts, options);
      case "sendFrame":
        return sendFrame(this.#framed, bytes, options);
      case "sendFrames":
        return sendFrames(this.#framed, parts, options);
    }
  }

  #judgeSend(
    call: Call<unknown>,
    { bytes, outcome }: Sent,
    due: string | undefined,
    fits: boolean,
    broken: boolean,
  ): void {
    if (!("error" in outcome!)) {
      this.#expect(call, due === undefined, `resolved, ${due} was due`);
      this.#expect(call, !broken || bytes.length === 0, "resolved on a broken stream");
      return;
    }
    const { error } = outcome;
    const { kind, bytesSent } = error;
    this.#checkError(call, error);
    if (due !== undefined) {
      this.#expect(call, kind === due && bytesSent === undefined, `${kind} instead of ${due}`);
      return;
    }
    if (bytesSent !== undefined) {
      this.#expect(call, bytesSent >= 0 && bytesSent <= bytes.length, `bytesSent ${bytesSent}`);
    }
    this.#expect(call, bytes.length > 0, "an empty send failed");
    if (kind === "QueueFull") {
      this.#expect(call, !fits && bytesSent === undefined, "QueueFull although there is room");
    } else if (kind === "Aborted" || kind === "TimedOut") {
      // A send that has begun cannot be taken back, so the connection is aborted.
      if (bytesSent !== undefined) this.#drop();
    } else if (kind === "Closed") {
      this.#expect(call, this.closed, "Closed on an open connection");
      this.#expect(call, bytesSent !== undefined, "Closed without bytesSent");
    } else {
      this.sendBroken = true;
    }
  }

  recv(maxBytes: number | undefined, limits: Limits): void {
    this.#receive("recv", maxBytes ?? Infinity, limits, (options) => {
      const all = maxBytes === undefined ? options : { ...options, maxBytes };
      return recv(this.connection, all);
    });
  }

  recvInto(room: number, limits: Limits): void {
    const buffer = new Uint8Array(room);
    this.#receive(
      "recvInto",
      room,
      limits,
      (options) =>
        recvInto(this.connection, buffer, options).then((count) => {
          if (count === null) return null;
          const bytes = buffer.slice(0, count);
          // The call has settled, so nothing writes to the buffer after this check.
          assert(
            buffer.subarray(count).every((byte) => byte === 0),
            "more was written than counted",
          );
          return bytes;
        }),
    );
  }

  recvExactly(length: number, limits: Limits): void {
    this.#receive(
      "recvExactly",
      length,
      limits,
      (options) => recvExactly(this.connection, length, options),
    );
  }

  recvFrame(limits: Limits): void {
    this.#receive("recvFrame", 0, limits, (options) => recvFrame(this.#framed, options));
  }

  recvFrames(maxFrames: number, limits: Limits): void {
    this.#receive("recvFrames", maxFrames, limits, async (options) => {
      const frames = await recvFrames(this.#framed, { ...options, maxFrames });
      if (frames === null) return null;
      assert(frames.length > 0 && frames.length <= maxFrames, `${frames.length} frames`);
      return concat(frames.map(wireOf));
    });
  }

  #receive(
    name: Got["name"],
    wanted: number,
    limits: Limits,
    make: (options: { signal?: AbortSignal; timeout?: number } | undefined) => Promise<
      Uint8Array | null
    >,
  ): void {
    const { options, already } = this.cancels.make(limits);
    const busy = this.receiving !== undefined;
    const due = this.closed ? "Closed" : already ?? (busy ? "Busy" : undefined);
    const call = this.#call(name, limits, make(options), (call, outcome) => {
      if (due !== undefined) {
        const kind = "error" in outcome ? outcome.error.kind : "a value";
        this.#expect(call, kind === due, `${kind} instead of ${due}`);
      } else {
        const ended = outcome as Outcome<Uint8Array | null>;
        this.#judgeReceive(call, name, wanted, ended);
        this.got.push({ name, wanted, outcome: ended });
      }
    });
    if (due === undefined) this.#receiving = call;
  }

  #judgeReceive(
    call: Call<unknown>,
    name: Got["name"],
    wanted: number,
    outcome: Outcome<Uint8Array | null>,
  ): void {
    this.#expect(call, !this.closed || "error" in outcome, "a value on a closed connection");
    if (!("error" in outcome)) {
      const { value } = outcome;
      if (value === null) return this.#noteEnd(call, name);
      if (name === "recv" || name === "recvInto") {
        this.#expect(call, value.length > 0 && value.length <= wanted, `${value.length} bytes`);
        this.#expect(call, this.ending === undefined, "bytes after the end");
      }
      return;
    }
    const { error } = outcome;
    this.#checkError(call, error);
    switch (error.kind) {
      case "Closed":
        return this.#expect(call, this.closed, "Closed on an open connection");
      case "Aborted":
      case "TimedOut":
        return;
      case "UnexpectedEof":
        if (this.nature.tls !== undefined && this.#mayBeTruncated()) {
          // A call for more bytes than are left says the same at an end in order.
          if (name === "recv" || name === "recvInto") this.#noteTruncation(call);
          return;
        }
        this.#expect(call, name !== "recv" && name !== "recvInto", "UnexpectedEof");
        return this.#noteEnd(call, "recvExactly");
      case "TooLarge":
        this.#expect(call, name === "recvFrame" || name === "recvFrames", "TooLarge");
        // This decoder has lost the frame boundary. A new one begins here.
        this.#framed = framed(this.connection, CODEC);
        return;
      default:
        this.#expect(call, this.ending !== "end", "broken after the end");
        this.#broken = true;
        // Bytes from before the reset that are too few for a frame can still be received.
        if (name === "recv" || name === "recvInto") this.ending = "reset";
    }
  }

  /** Tells if the stream of the peer may end without `close_notify`: only a peer that dropped its side does that. */
  #mayBeTruncated(): boolean {
    return this.peer.closed;
  }

  #noteTruncation(call: Call<unknown>): void {
    this.#expect(call, this.ending !== "end", "a truncation after the end");
    this.ending = "truncation";
  }

  #noteEnd(call: Call<unknown>, name: Got["name"]): void {
    const { finished, closed } = this.peer;
    this.#expect(call, finished || closed, "the end of a stream that has not ended");
    this.#expect(call, !this.#broken, "the end after a reset");
    this.#expect(call, !this.peer.wasReset, "the end although the peer has reset");
    const { tls } = this.nature;
    if (tls !== undefined) {
      this.#expect(call, this.ending !== "truncation", "the end after a truncation");
      const isInOrder = this.peer.saidEnd || tls.peerSaysEndAtAbort;
      this.#expect(call, isInOrder, "the end although the peer did not say so");
    }
    if (name === "recv" || name === "recvInto") this.ending = "end";
  }

  closeWrite(limits: Limits): void {
    const { options, already } = this.cancels.make(limits);
    const closed = this.closed;
    if (!closed) this.finished = this.saidEnd = true;
    this.#call("closeWrite", limits, closeWrite(this.connection, options), (call, outcome) => {
      const kind = "error" in outcome ? outcome.error.kind : undefined;
      if (closed) return this.#expect(call, kind === "Closed", `${kind} instead of Closed`);
      if (already !== undefined) {
        return this.#expect(call, kind === already, `${kind} instead of ${already}`);
      }
      if (!("error" in outcome)) return;
      this.#checkError(call, outcome.error);
      this.#expect(call, kind !== "Closed" || this.closed, "Closed on an open connection");
    });
  }

  close(linger: number | undefined, limits: Limits): void {
    const { options, already } = this.cancels.make(limits);
    const had = this.unsettled;
    const dropped = this.dropped;
    if (!this.closed) this.saidEnd = true;
    this.closed = this.finished = true;
    if (already !== undefined) this.dropped = true;
    const all = linger === undefined ? options : { ...options, linger };
    this.#call("close", limits, close(this.connection, all), (call, outcome) => {
      this.dropped = true;
      if (!("error" in outcome)) {
        return this.#expect(call, already === undefined || dropped, `resolved, not ${already}`);
      }
      const { kind, message } = outcome.error;
      if (kind === "TimedOut" && /gave up on/.test(message)) {
        return this.#expect(call, had > 0, "gave up on nothing");
      }
      this.#checkError(call, outcome.error);
      this.#expect(call, kind === "Aborted" || kind === "TimedOut", kind);
    });
  }

  abort(): void {
    this.#drop();
    abort(this.connection);
  }

  #drop(): void {
    this.closed = this.finished = this.dropped = true;
  }

  /** Checks that no call waits for bytes after a close, except for a `recvInto` that the runtime fills directly. */
  checkNobodyWaits(): void {
    const { receiving } = this;
    if (!this.closed || receiving === undefined) return;
    const { signal, timeout } = receiving.limits;
    const direct = receiving.what.endsWith(".recvInto") && signal === "none" &&
      timeout === undefined;
    this.#expect(receiving, direct, "still waits on a closed connection");
  }

  /** Checks that the options of a call and the actions of the peer allow the kind of its error. */
  #checkError(call: Call<unknown>, { kind, code, message }: SocketError): void {
    const { signal, timeout } = call.limits;
    if (kind === "Aborted") this.#expect(call, signal !== "none", "Aborted without a signal");
    if (kind === "TimedOut") {
      this.#expect(call, timeout !== undefined && code === undefined, "TimedOut without a timeout");
    }
    const peerGone = this.peer.closed || this.peer.wasReset;
    if (kind === "BrokenPipe" || kind === "ConnectionReset") {
      this.#expect(call, peerGone, `${kind} while the peer is there`);
      this.#expect(call, /^(send|recv|closeWrite)/.test(message), message);
      if (this.nature.keepsAll && kind === "ConnectionReset") {
        this.#expect(call, this.peer.wasReset, "ConnectionReset without a reset");
      }
      return;
    }
    const known = ["Aborted", "TimedOut", "Closed", "QueueFull", "UnexpectedEof", "TooLarge"];
    this.#expect(call, known.includes(kind), `${kind}: ${message}`);
  }

  #call<T>(
    what: string,
    limits: Limits,
    promise: Promise<T>,
    judge: (call: Call<T>, outcome: Outcome<T>) => void,
  ): Call<T> {
    const call = new Call(`${this.name}.${what}`, limits, promise, judge);
    this.calls.push(call);
    return call;
  }

  #expect(call: Call<unknown>, holds: boolean, what: string): void {
    if (!holds) throw new Error(`${call.what}: ${what}`);
  }
}
