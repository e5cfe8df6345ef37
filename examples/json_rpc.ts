/**
 * JSON-RPC 2.0 behind `Content-Length` headers, as the Language Server Protocol and others use it. Both sides send
 * requests and notifications at any time, and answer requests in any order. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import {
  abort,
  close,
  type CloseOptions,
  type Connection,
  contentLength,
  framed,
  type FramedConnection,
  invalidFrame,
  json,
  type JsonValue,
  mapCodec,
  sendFrame,
  SocketError,
} from "../mod.ts";

/** Limit of a message in both directions (bytes): a document is sent as a whole. */
const MAX_MESSAGE_BYTES = 64 * 2 ** 20;
const METHOD_NOT_FOUND = -32601, INTERNAL_ERROR = -32603;

/** A request has `id` and `method`, a notification `method`, and an answer `id` with `result` or `error`. */
interface Message {
  readonly id?: number | string | null;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

const bytes = contentLength({ maxLength: MAX_MESSAGE_BYTES });
const messages = mapCodec(json<unknown, JsonValue>(bytes), {
  encode: (message: Message) => ({ jsonrpc: "2.0", ...message }),
  decode: readMessage,
});

/** An error that one side answers to a request of the other. */
export class RpcError extends Error {
  override readonly name = "RpcError";
  /** Number of the error, such as -32601 for an unknown method. */
  readonly code: number;
  /** More about the error, in a form that the method defines. */
  readonly data?: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

export interface RpcHandlers {
  /** Takes a notification. An error that it throws ends the connection. */
  onNotification?(method: string, params: unknown): void;
  /** Answers a request. If it gives `undefined`, the method is unknown; if it throws, the answer is an error. */
  onRequest?(method: string, params: unknown): unknown;
}

export interface RequestOptions {
  /** Cancels the request: the call rejects at once, and the other side gets `$/cancelRequest`. */
  readonly signal?: AbortSignal;
}

/** One side of a connection that carries JSON-RPC. */
export class RpcPeer {
  /** Resolves to the reason when the connection has ended. */
  readonly ended: Promise<unknown>;
  readonly #connection: Connection;
  readonly #messages: FramedConnection<Message>;
  readonly #handlers: RpcHandlers;
  /** Requests without an answer, by their ids. */
  readonly #calls = new Map<Message["id"], PromiseWithResolvers<unknown>>();
  #nextId = 1;
  #endReason: unknown;

  /** Owns the connection from then on. */
  constructor(connection: Connection, handlers: RpcHandlers = {}) {
    this.#connection = connection;
    this.#messages = framed(connection, messages);
    this.#handlers = handlers;
    this.ended = this.#receive();
  }

  async notify(method: string, params?: unknown): Promise<void> {
    await sendFrame(this.#messages, { method, params });
  }

  /**
   * Sends a request and resolves to its result. Rejects with the `RpcError` of the other side, or with a `SocketError`:
   * `Aborted` by the signal, or the reason for the end of the connection.
   */
  async request<T = unknown>(
    method: string,
    params?: unknown,
    { signal }: RequestOptions = {},
  ): Promise<T> {
    const aborted = () =>
      new SocketError("Aborted", method, "cancelled by its signal", { cause: signal?.reason });
    if (signal?.aborted) throw aborted();
    const id = this.#nextId++;
    const call = Promise.withResolvers<unknown>();
    this.#calls.set(id, call);
    const cancel = () => {
      // The entry stays in #calls: a cancelled request gets an answer, too.
      call.reject(aborted());
      this.notify("$/cancelRequest", { id }).catch(() => {});
    };
    signal?.addEventListener("abort", cancel);
    // It does not get the signal: a send that is cancelled half-way ends the connection.
    sendFrame(this.#messages, { id, method, params }).catch((error) => {
      this.#calls.delete(id);
      call.reject(this.#endReason ?? error);
    });
    try {
      return await call.promise as T;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Closes the connection. Requests without an answer reject. */
  async close(options?: CloseOptions): Promise<void> {
    this.#endReason ??= new SocketError("Closed", "close", "this side has closed the connection");
    await close(this.#connection, options);
    await this.ended;
  }

  async #receive(): Promise<unknown> {
    let reason: unknown;
    try {
      for await (const message of this.#messages) this.#take(message);
      reason = new SocketError("UnexpectedEof", "recvFrame", "the peer has ended the connection");
    } catch (error) {
      reason = error;
    }
    if (this.#endReason === undefined) {
      this.#endReason = reason;
      abort(this.#connection);
    }
    for (const call of this.#calls.values()) call.reject(this.#endReason);
    this.#calls.clear();
    return this.#endReason;
  }

  #take({ id, method, params, result, error }: Message): void {
    if (method !== undefined) {
      if (id === undefined) this.#handlers.onNotification?.(method, params);
      else void this.#answer(id, method, params);
      return;
    }
    const call = this.#calls.get(id);
    if (call === undefined) {
      const said = error === undefined ? "" : `: ${error.message}`;
      throw invalidFrame(`an answer came to no request${said}`);
    }
    this.#calls.delete(id);
    if (error === undefined) call.resolve(result);
    else call.reject(new RpcError(error.code, error.message, error.data));
  }

  async #answer(id: Message["id"], method: string, params: unknown): Promise<void> {
    try {
      const result = await this.#handlers.onRequest?.(method, params);
      if (result === undefined) throw new RpcError(METHOD_NOT_FOUND, `unknown method: ${method}`);
      await sendFrame(this.#messages, { id, result });
    } catch (thrown) {
      const { code, message, data } = thrown instanceof RpcError
        ? thrown
        : new RpcError(INTERNAL_ERROR, String(thrown));
      // If the connection is lost, nobody waits for the answer.
      await sendFrame(this.#messages, { id, error: { code, message, data } }).catch(() => {});
    }
  }
}

/** Returns a value that is a message. Anything else is `InvalidData`. */
function readMessage(value: JsonValue): Message {
  const { jsonrpc, id, method, result, error } = Object(value);
  const isCall = typeof method === "string" && (id === undefined || isId(id));
  const isAnswer = method === undefined && (isId(id) || id === null) &&
    (error === undefined ? result !== undefined : isError(error));
  if (jsonrpc === "2.0" && (isCall || isAnswer)) return value as Message;
  throw invalidFrame("the frame is no message of JSON-RPC 2.0");
}

function isId(id: unknown): boolean {
  return typeof id === "number" || typeof id === "string";
}

function isError(error: unknown): boolean {
  const { code, message } = Object(error);
  return Number.isInteger(code) && typeof message === "string";
}
