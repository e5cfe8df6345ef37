/**
 * A client library for line_server.ts that runs on Deno, Node and Bun: one file that names no runtime. A client for a
 * protocol of your own can look like this; there, import from "jsr:@aivi/sockets" (on Node and Bun, from
 * "@aivi/sockets").
 */
import {
  type Address,
  close,
  connect,
  type Connection,
  framed,
  type FramedConnection,
  lines,
  type OperationOptions,
  recvFrame,
  sendFrame,
  SocketError,
} from "../mod.ts";

/** A connection to a line server. Questions are answered in their order. */
export class LineClient implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #stream: FramedConnection<string>;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.#stream = framed(connection, lines());
  }

  static async connect(address: Address, options?: OperationOptions): Promise<LineClient> {
    return new LineClient(await connect(address, { timeout: 5000, ...options }));
  }

  /** Asks all questions at once, and resolves to their answers. */
  async ask(questions: readonly string[], options?: OperationOptions): Promise<string[]> {
    const sent = questions.map((question) => sendFrame(this.#stream, question, options));
    const answers: string[] = [];
    for (const _ of questions) {
      const answer = await recvFrame(this.#stream, options);
      if (answer === null) throw new SocketError("UnexpectedEof", "ask", "the server has ended");
      answers.push(answer.trimEnd());
    }
    await Promise.all(sent);
    return answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#connection);
  }
}
