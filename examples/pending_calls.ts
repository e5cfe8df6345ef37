/**
 * Calls of one connection that wait for their answers, which come in the order of the calls: replies of Redis, or each
 * PONG of NATS. In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { invalidFrame, SocketError } from "../mod.ts";

/**
 * The call was sent, or a part of it, and no answer came: the server may have done it, or not. Its `cause` says why. If
 * doing it twice is harmless, call again. If a call rejects with a `SocketError` instead, nothing of it was sent, and
 * `retryable` says if the same call has a chance later.
 */
export class Unanswered extends Error {
  override readonly name = "Unanswered";

  constructor(cause: unknown) {
    super("no answer came: the server may have done it, or not", { cause });
  }
}

/** Makes the error of a call that has not left, so that it can be repeated. */
function notSent(cause: unknown): SocketError {
  const reason = "the connection has ended, and nothing of the call was sent";
  return new SocketError("BrokenPipe", "sendFrame", reason, {
    bytesSent: 0,
    retryable: true,
    cause,
  });
}

/** Returns the error of a call whose send has failed. */
function callError(error: SocketError): Error {
  const { kind, bytesSent } = error;
  // The call itself is wrong, or must wait.
  if (kind === "InvalidInput" || kind === "TooLarge" || kind === "QueueFull") return error;
  // A send without a count was refused before it began. Of one with a count of 0, only a write that failed is certain:
  // if this side aborts, the system may have taken bytes that nobody has counted yet.
  const failed = kind === "ConnectionReset" || kind === "BrokenPipe";
  const nothingSent = bytesSent === undefined || bytesSent === 0 && failed;
  return nothingSent ? notSent(error) : new Unanswered(error);
}

interface Call<T> extends PromiseWithResolvers<T> {
  /** True after its send has resolved. */
  sent: boolean;
}

/** The calls of one connection. */
export class PendingCalls<T> {
  readonly #waiting = new Set<Call<T>>();
  #end: { readonly why: unknown } | undefined;

  /** Sends a call, and waits for its answer. */
  call(send: () => Promise<void>): Promise<T> {
    if (this.#end !== undefined) return Promise.reject(notSent(this.#end.why));
    const call = { ...Promise.withResolvers<T>(), sent: false };
    this.#waiting.add(call);
    send().then(
      () => {
        call.sent = true;
        if (this.#end !== undefined) call.reject(new Unanswered(this.#end.why));
      },
      (error) => {
        this.#waiting.delete(call);
        call.reject(callError(error));
      },
    );
    return call.promise;
  }

  /** Gives the first call its answer. */
  answer(value: T): void {
    this.#takeFirst().resolve(value);
  }

  /** Rejects the first call: the server has said no. */
  refuse(error: Error): void {
    this.#takeFirst().reject(error);
  }

  /** Rejects all calls, as the connection has ended. Each that still waits to be sent rejects when its send does. */
  end(why: unknown): void {
    this.#end ??= { why };
    for (const call of this.#waiting) {
      if (call.sent) call.reject(new Unanswered(why));
    }
  }

  #takeFirst(): Call<T> {
    const [call] = this.#waiting;
    if (call === undefined) throw invalidFrame("an answer came that no call waits for");
    this.#waiting.delete(call);
    return call;
  }
}
