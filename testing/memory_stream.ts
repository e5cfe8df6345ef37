import type { Address, Transport, TransportAddress } from "../types.ts";
import { GiveUpTimers } from "./give_up_timers.ts";
import { failed, SystemError, type SystemErrorCode } from "./system_errors.ts";
import type { Direction, Host, PacketSender, StreamEnd } from "./world.ts";

/** Bytes of a packet's headers, which count for the bandwidth. */
const HEADER_BYTES = 40;

interface Pending<T> {
  readonly bytes: Uint8Array;
  readonly resolve: (value: T) => void;
  readonly reject: (error: SystemError) => void;
}

/** Sends packets that nothing sends again: a kernel does not wait for an answer to them. */
class Acknowledgements implements PacketSender {
  lastArrival = 0;
  underWay = 0;
  readonly gone = false;

  onHeld(): void {
    // A peer that hears nothing asks again.
  }

  onPassing(): void {
    // It waits for nothing.
  }
}

/** One end of a TCP connection, as a kernel and the runtime have it. */
export class MemoryStream implements Transport, PacketSender, StreamEnd {
  readonly host: Host;
  readonly local: Address;
  readonly remote: Address;
  readonly localAddr: TransportAddress;
  readonly remoteAddr: TransportAddress;
  lastArrival = 0;
  underWay = 0;
  /** The other end, after its host has heard of this one. */
  peer: MemoryStream | undefined;
  /** True if the kernel probes the connection while it is silent. */
  keepAlive = true;
  /** Called once, when nothing can come to this end any more and its port is free. */
  onGone: (() => void) | undefined;
  readonly #wire: Direction;
  readonly #label: string;
  readonly #peerLabel: string;

  /** Bytes that a write has left here, and those of them that have not been sent yet. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** Bytes that were sent and for which the peer has not made room again. */
  #outstanding = 0;
  /** True if bytes wait for room at the peer. */
  #windowFull = false;
  #pendingWrite: Pending<number> | undefined;
  #finQueued = false;
  #finSent = false;

  readonly #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  /** Bytes that were read, and of which the peer has not heard yet. */
  #freed = 0;
  #updating = false;
  /** Sends window updates, which nobody has to acknowledge. */
  readonly #acknowledgements: PacketSender = new Acknowledgements();
  #pendingRead: Pending<number | null> | undefined;
  #finReceived = false;

  /** The error that the next call reports, once. */
  #error: SystemErrorCode | undefined;
  #broken = false;
  #closed = false;
  #stopped = false;
  #gone = false;
  readonly #timers: GiveUpTimers;

  constructor(host: Host, remoteHost: Host, local: Address, remote: Address) {
    this.host = host;
    this.local = local;
    this.remote = remote;
    this.localAddr = { transport: "tcp", hostname: local.host, port: local.port };
    this.remoteAddr = { transport: "tcp", hostname: remote.host, port: remote.port };
    this.#wire = host.world.wire(host, remoteHost);
    this.#label = `${host.name}:${local.port}`;
    this.#peerLabel = `${remoteHost.name}:${remote.port}`;
    this.#timers = new GiveUpTimers(host, () => this.#break("ETIMEDOUT"));
  }

  get remoteHost(): Host {
    return this.#wire.to;
  }

  /** True if the kernel has forgotten this end: what still comes for it is answered with a reset. */
  get gone(): boolean {
    return this.#gone;
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** Says which calls wait on this end. */
  get waiting(): string[] {
    const where = `${this.#label} (peer ${this.#peerLabel})`;
    const calls: string[] = [];
    if (this.#pendingRead !== undefined) calls.push(`a read of ${where}`);
    if (this.#pendingWrite !== undefined) calls.push(`a write of ${where}`);
    return calls;
  }

  // The calls of a program.

  read(buffer: Uint8Array): Promise<number | null> {
    if (this.#closed) return failed("EBADF");
    if (!this.#stopped) {
      if (this.#unreadBytes > 0) return Promise.resolve(this.#take(buffer));
      if (this.#finReceived) return Promise.resolve(null);
      const error = this.#takeError();
      if (error !== undefined) return Promise.reject(error);
      if (this.#broken) return Promise.resolve(null);
    }
    return new Promise((resolve, reject) => this.#pendingRead = { bytes: buffer, resolve, reject });
  }

  write(bytes: Uint8Array): Promise<number> {
    if (this.#closed) return failed("EBADF");
    if (!this.#stopped) {
      const error = this.#takeError();
      if (error !== undefined) return Promise.reject(error);
      if (this.#broken || this.#finQueued) return failed("EPIPE");
      if (this.#room > 0 || bytes.length === 0) return Promise.resolve(this.#put(bytes));
    }
    return new Promise((resolve, reject) => this.#pendingWrite = { bytes, resolve, reject });
  }

  closeWrite(): Promise<void> {
    if (this.#closed) return failed("EBADF");
    if (this.#broken && !this.#stopped) return failed("ENOTCONN");
    this.#endSending();
    return Promise.resolve();
  }

  /**
   * Closes as the runtime does: it ends the sending side and then closes the socket. If bytes are unread then, the
   * kernel sends a reset as well and drops what it has not sent (RFC 1122, 4.2.2.13).
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectPending("EINTR");
    if (!this.#stopped) this.#release();
  }

  // The life of the host.

  /** Ends it as the kernel does for a program that was killed. Calls that wait stay so until `close`. */
  stop(): void {
    if (this.#stopped || this.#closed) return;
    this.#stopped = true;
    if (!this.#gone) this.#release();
  }

  /** Forgets this end without a word to the peer, as a machine that loses power. */
  vanish(): void {
    this.#stopped = true;
    this.#forget();
  }

  /** Drops both directions, and tells the peer. */
  reset(): void {
    this.#sendReset();
    this.onReset();
  }

  /** Notes that nothing passes between the two hosts any more. */
  onBlocked(): void {
    if (this.#gone) return;
    // The kernel asks for room as it sends data again, and gives up as late.
    if (this.#waitingBytes > 0) this.#timers.waitAcknowledgement();
    if (this.keepAlive) this.#timers.waitProbe();
  }

  onHeld(): void {
    if (!this.#gone) this.#timers.waitAcknowledgement();
  }

  /** Notes that packets pass again. */
  onPassing(): void {
    this.#timers.stop();
  }

  // The packets.

  /** Sends something small in order: a SYN, its answer, an end or a reset. */
  sendControl(what: string, deliver: () => void, isSyn = false): void {
    this.#wire.send(
      HEADER_BYTES,
      this,
      () => {
        this.host.world.trace.add(this.#label, this.#peerLabel, what);
        deliver();
      },
      isSyn,
    );
  }

  /** Sends a reset without waiting for anything. */
  #sendReset(): void {
    const { peer } = this;
    if (peer === undefined) return;
    const last = new Acknowledgements();
    last.lastArrival = this.lastArrival;
    last.underWay = this.underWay;
    this.#wire.send(HEADER_BYTES, last, () => {
      this.host.world.trace.add(this.#label, this.#peerLabel, "reset");
      peer.onReset();
    });
  }

  #onSegment(bytes: Uint8Array): void {
    this.#timers.hear();
    if (this.#gone || this.#closed || this.#stopped) return this.#refuse();
    this.#unread.push(bytes);
    this.#unreadBytes += bytes.length;
    const pending = this.#pendingRead;
    if (pending === undefined) return;
    this.#pendingRead = undefined;
    pending.resolve(this.#take(pending.bytes));
  }

  /** Answers bytes for which no program is left. */
  #refuse(): void {
    this.#sendReset();
    this.#forget();
  }

  #onEnd(): void {
    this.#timers.hear();
    if (this.#gone) return;
    this.#finReceived = true;
    const pending = this.#stopped ? undefined : this.#pendingRead;
    if (pending === undefined) return;
    this.#pendingRead = undefined;
    pending.resolve(null);
  }

  /** Takes a reset of the peer, or of something on the way. */
  onReset(): void {
    if (this.#gone) return;
    // Linux: a peer that had ended its side before leaves only a broken pipe (tcp_reset).
    this.#break(this.#finReceived ? "EPIPE" : "ECONNRESET");
  }

  /** Breaks both directions. One of the calls that wait gets the error, or else the next call. */
  #break(code: SystemErrorCode): void {
    if (this.#gone) return;
    this.#broken = true;
    this.#error = code;
    this.#forget();
    if (this.#stopped) return;
    const read = this.#pendingRead;
    const write = this.#pendingWrite;
    this.#pendingRead = this.#pendingWrite = undefined;
    const writeFirst = write !== undefined &&
      (read === undefined || this.host.world.random.chance(1 / 2));
    if (writeFirst) write.reject(this.#takeError()!);
    if (read !== undefined) {
      const error = this.#takeError();
      if (error === undefined) read.resolve(null);
      else read.reject(error);
    }
    if (!writeFirst) write?.reject(new SystemError("EPIPE"));
  }

  // The sending side.

  get #room(): number {
    return this.#wire.settings.window - this.#waitingBytes;
  }

  #put(bytes: Uint8Array): number {
    const count = this.#part(Math.min(bytes.length, this.#room));
    // A window that was made smaller meanwhile leaves less room than none.
    if (count <= 0) return 0;
    this.#waiting.push(bytes.slice(0, count));
    this.#waitingBytes += count;
    this.#transmit();
    return count;
  }

  #endSending(): void {
    this.#finQueued = true;
    this.#transmit();
  }

  /** Sends what the peer has room for. */
  #transmit(): void {
    if (this.#gone) return;
    const { segment, window } = this.#wire.settings;
    while (this.#waitingBytes > 0) {
      const room = window - this.#outstanding;
      if (room <= 0) {
        this.#windowFull = true;
        this.peer!.#offerRoom();
        break;
      }
      this.#sendSegment(this.#nextSegment(Math.min(room, this.#part(segment))));
    }
    if (this.#waitingBytes === 0 && this.#finQueued && !this.#finSent) {
      this.#finSent = true;
      this.sendControl("end", () => this.peer!.#onEnd());
      if (this.#closed || this.#stopped) this.#forgetLater();
    }
    const pending = this.#stopped ? undefined : this.#pendingWrite;
    if (pending === undefined || this.#room <= 0) return;
    this.#pendingWrite = undefined;
    pending.resolve(this.#put(pending.bytes));
  }

  #nextSegment(most: number): Uint8Array {
    const [first] = this.#waiting;
    if (first.length <= most) {
      this.#waiting.shift();
      this.#waitingBytes -= first.length;
      return first;
    }
    this.#waiting[0] = first.subarray(most);
    this.#waitingBytes -= most;
    return first.subarray(0, most);
  }

  #sendSegment(bytes: Uint8Array): void {
    const peer = this.peer!;
    this.#outstanding += bytes.length;
    this.#wire.send(bytes.length + HEADER_BYTES, this, () => {
      this.host.world.trace.addBytes(this.#label, this.#peerLabel, "data", bytes);
      // Its acknowledgement takes no time.
      this.#timers.hear();
      peer.#onSegment(bytes);
    });
  }

  // The receiving side.

  #take(buffer: Uint8Array): number {
    const count = this.#part(Math.min(buffer.length, this.#unreadBytes));
    let taken = 0;
    while (taken < count) {
      const [first] = this.#unread;
      const part = Math.min(first.length, count - taken);
      buffer.set(part === first.length ? first : first.subarray(0, part), taken);
      taken += part;
      if (part === first.length) this.#unread.shift();
      else this.#unread[0] = first.subarray(part);
    }
    this.#unreadBytes -= count;
    this.#freed += count;
    if (this.peer!.#windowFull) this.#offerRoom();
    return count;
  }

  /** Tells a peer that waits for room how much there is. */
  #offerRoom(): void {
    if (this.#updating || this.#freed === 0) return;
    this.#updating = true;
    const peer = this.peer!;
    this.#wire.send(HEADER_BYTES, this.#acknowledgements, () => {
      this.#updating = false;
      peer.#outstanding -= this.#freed;
      this.#freed = 0;
      peer.#windowFull = false;
      peer.#transmit();
    });
  }

  /** Chooses how many of some bytes move: all of them, or sometimes fewer. */
  #part(most: number): number {
    const { random, partial } = this.host.world;
    return most > 1 && random.chance(partial) ? 1 + random.below(most) : most;
  }

  // The end.

  #takeError(): SystemError | undefined {
    const code = this.#error;
    this.#error = undefined;
    return code === undefined ? undefined : new SystemError(code);
  }

  #rejectPending(code: SystemErrorCode): void {
    this.#pendingRead?.reject(new SystemError(code));
    this.#pendingWrite?.reject(new SystemError(code));
    this.#pendingRead = this.#pendingWrite = undefined;
  }

  /** Ends the sending side, and resets if the program leaves bytes unread. */
  #release(): void {
    if (this.#gone) return;
    const isUnread = this.#unreadBytes > 0;
    this.#unread.length = this.#unreadBytes = 0;
    this.#endSending();
    if (isUnread) {
      this.#sendReset();
      this.#forget();
    } else if (this.#finSent) this.#forgetLater();
  }

  /** Forgets this end after what was sent: the port is free, and what still comes is refused. */
  #forgetLater(): void {
    this.onGone?.();
    this.onGone = undefined;
  }

  #forget(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#waiting.length = this.#waitingBytes = 0;
    this.onPassing();
    this.#forgetLater();
  }
}
