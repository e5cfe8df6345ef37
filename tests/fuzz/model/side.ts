import { assert } from "@std/assert";
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
  recvInto,
  send,
  sendFrame,
  type SocketError,
} from "../../../mod.ts";
import { Call, type Cancels, type Limits, type Outcome } from "./call.ts";

/** Frames of up to a hundred bytes; any byte of a stream may be read as a length. */
export const CODEC = lengthPrefixed({ bytes: 1, maxLength: 100 });

/** A send as the model knows it. */
export interface Sent {
  readonly bytes: Uint8Array;
  outcome: Outcome<void> | undefined;
}

/** A receiving call that has ended, in the order of their ends. */
export interface Got {
  readonly name: "recv" | "recvInto" | "recvExactly" | "recvFrame";
  /** What it asked for: the most bytes, or how many exactly. */
  readonly wanted: number;
  readonly outcome: Outcome<Uint8Array | null>;
}

/** How a side's transport is known to behave where the peer is gone. */
export interface Nature {
  readonly name: string;
  /** What was handed over before an end arrives, whatever that end was. */
  readonly keepsAll: boolean;
}

/**
 * One end of a connection together with what must be true of it: it makes the calls, and judges each
 * outcome in the turn in which it comes by what has happened until then.
 */
export class Side {
  readonly name: string;
  readonly connection: Connection;
  readonly nature: Nature;
  readonly cancels: Cancels;
  readonly limit: number;
  peer!: Side;
  readonly calls: Call<unknown>[] = [];
  readonly sent: Sent[] = [];
  readonly got: Got[] = [];
  /** `closeWrite` was called, or all that ends the sending side too. */
  finished = false;
  /** `close` or `abort` was called, or a torn send has aborted. */
  closed = false;
  /** Nothing that is pending will come to a good end. */
  dropped = false;
  /** What was once said about the stream from the peer, and must be said again. */
  ending: "end" | "reset" | undefined;
  sendBroken = false;
  /** It was reset instead of being closed. */
  wasReset = false;
  /** A receiving call has been told of a reset. */
  #broken = false;
  #receiving: Call<unknown> | undefined;
  #framed: FramedConnection<Uint8Array>;

  constructor(
    name: string,
    connection: Connection,
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

  /** Bytes of sends that have not settled. */
  get unsettled(): number {
    return this.sent.reduce(
      (sum, { bytes, outcome }) => outcome === undefined ? sum + bytes.length : sum,
      0,
    );
  }

  send(bytes: Uint8Array, limits: Limits, asFrame: boolean): void {
    const { options, already } = this.cancels.make(limits);
    const wire = asFrame ? new Uint8Array([bytes.length, ...bytes]) : bytes;
    const due = this.closed || this.finished ? "Closed" : already;
    const fits = this.unsettled + wire.length <= this.limit || this.unsettled === 0;
    const broken = this.sendBroken;
    const record: Sent = { bytes: wire, outcome: undefined };
    this.sent.push(record);
    this.#call(
      asFrame ? "sendFrame" : "send",
      limits,
      asFrame ? sendFrame(this.#framed, bytes, options) : send(this.connection, bytes, options),
      (call, outcome) => {
        record.outcome = outcome;
        this.#judgeSend(call, record, due, fits, broken);
      },
    );
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
      this.#expect(call, !fits && bytesSent === undefined, "QueueFull where there is room");
    } else if (kind === "Aborted" || kind === "TimedOut") {
      // What was handed over cannot be taken back: the connection goes with it.
      if (bytesSent !== undefined) this.#drop();
    } else if (kind === "Closed") {
      this.#expect(call, this.closed, "Closed on an open connection");
      this.#expect(call, bytesSent !== undefined, "lost without a word on how much left");
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
          // Nobody may write to it any more: the copy is what it must have been all along.
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
        this.#expect(call, this.ending === undefined, "bytes behind the end");
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
        this.#expect(call, name === "recvExactly" || name === "recvFrame", "UnexpectedEof");
        return this.#noteEnd(call, "recvExactly");
      case "TooLarge":
        this.#expect(call, name === "recvFrame", "TooLarge");
        // The place of the next frame is lost for this one; whoever begins anew begins here.
        this.#framed = framed(this.connection, CODEC);
        return;
      default:
        this.#expect(call, this.ending !== "end", "broken behind the end");
        this.#broken = true;
        // What came before and is too little for a frame can still be received.
        if (name === "recv" || name === "recvInto") this.ending = "reset";
    }
  }

  #noteEnd(call: Call<unknown>, name: Got["name"]): void {
    const { finished, closed } = this.peer;
    this.#expect(call, finished || closed, "the end of a stream that goes on");
    this.#expect(call, !this.#broken, "the end behind a reset");
    this.#expect(call, !this.peer.wasReset, "the end where the peer has reset");
    if (name === "recv" || name === "recvInto") this.ending = "end";
  }

  closeWrite(limits: Limits): void {
    const { options, already } = this.cancels.make(limits);
    const closed = this.closed;
    if (!closed) this.finished = true;
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

  /** Where this side has closed, nobody waits for bytes any more but the runtime itself. */
  checkNobodyWaits(): void {
    const { receiving } = this;
    if (!this.closed || receiving === undefined) return;
    const { signal, timeout } = receiving.limits;
    const straight = receiving.what.endsWith(".recvInto") && signal === "none" &&
      timeout === undefined;
    this.#expect(receiving, straight, "still waits on a closed connection");
  }

  /** Kinds that a call may fail with at all, for what it was given and what the peer has done. */
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
