/**
 * Publishes to an MQTT 3.1.1 broker, or prints what others publish, with QoS 0 or 1:
 *
 *     deno run --allow-net mqtt_client.ts 127.0.0.1:1883 publish room/1/heat 21.5 [--retain] [--qos 0]
 *     seq 10000 | deno run --allow-net mqtt_client.ts 127.0.0.1:1883 publish room/1/count
 *     deno run --allow-net mqtt_client.ts 127.0.0.1:1883 subscribe room/+/heat [--qos 0]
 *
 * Without a message, `publish` sends each line of its input. `subscribe` ends with SIGTERM or Ctrl-C. Both take
 * `--user` and `--password`. In your own program, import from "jsr:@aivi/sockets" instead.
 */
import {
  abort,
  type Address,
  close,
  connect,
  type Connection,
  connectionOver,
  framed,
  type FramedConnection,
  invalidFrame,
  lines,
  recvFrame,
  recvFrames,
  sendFrame,
  sendFrames,
  SocketError,
} from "../mod.ts";
import { exitWithProblem, readAddress, readCommand } from "./arguments.ts";
import { clientPackets, type FromBroker, type Publish, type ToBroker } from "./mqtt_codec.ts";
import { onInterrupt } from "./signals.ts";

/** Maximum number of packets without an acknowledgement: identifiers are 1 to 65,535. */
const MOST_IDS = 65535;
/** The client stops reading from the broker if messages of this size wait for the reader (bytes). */
const PAUSE_BYTES = 2 ** 20;
/** The client gives up above this size of messages (bytes). It reads on past `PAUSE_BYTES` while a call waits. */
const MOST_HELD_BYTES = 64 * 2 ** 20;
/** Memory that a message takes besides its payload (bytes). */
const MESSAGE_BYTES = 256;
/** Requests are refused while more than this waits to be sent (bytes). Acknowledgements have as much room again. */
const MOST_QUEUED_BYTES = 16 * 2 ** 20;
/** The client gives up after this many checks in a row without a byte. A busy program may read late after one. */
const MOST_SILENT_CHECKS = 3;
/** Meanings of the codes of CONNACK (table 3.1). */
const REFUSALS = [
  "accepted",
  "it does not speak MQTT 3.1.1",
  "it does not allow this client id",
  "it is not available",
  "the user name or password is wrong",
  "this client may not connect",
];
const encoder = new TextEncoder();

/** The broker has understood, and said no. The code is that of CONNACK or SUBACK. */
export class MqttRefusal extends Error {
  override readonly name = "MqttRefusal";
  readonly code: number;

  constructor(message: string, code: number) {
    super(message);
    this.code = code;
  }
}

export interface MqttOptions {
  /** Name of this client, which no other may have. Default: the broker chooses one. */
  readonly clientId?: string;
  readonly userName?: string;
  readonly password?: string;
  /** Seconds of silence before the broker gives this client up, from 1 to 65,535; 0 is for ever. Default: 60. */
  readonly keepAliveSeconds?: number;
  /** Maximum number of bytes in a packet without its header, in both directions. Default: 1 MiB. */
  readonly maxLength?: number;
  /** Milliseconds to connect, and again to be accepted. Default: 5000. */
  readonly timeout?: number;
}

/** A message to publish. */
export interface OutgoingMessage {
  readonly topic: string;
  /** Bytes, or a text for UTF-8. */
  readonly payload: Uint8Array | string;
  /** 0: it may get lost. 1: the broker acknowledges it. Default: 1. */
  readonly qos?: 0 | 1;
  /** True if the broker keeps it for those who subscribe later. Default: false. */
  readonly retain?: boolean;
}

/** A message that came. Small payloads may share an `ArrayBuffer`: copy (`slice`) one to keep it for long. */
export type Message = Pick<Publish, "topic" | "payload" | "qos" | "retain">;

/** One or more packets that wait for their acknowledgements. */
interface Call {
  readonly answer: FromBroker["type"];
  waiting: number;
  resolve(code: number): void;
  reject(reason: unknown): void;
}

/**
 * Publishes and subscribes on one connection. Its iteration gives the messages of all subscriptions, in the order
 * in which they came. If the reader is slow, the client reads no more from the broker.
 *
 * Calls reject with `SocketError`, or `MqttRefusal` if the broker says no. If the connection breaks, all calls that
 * wait and the iteration give the reason.
 */
export class MqttClient implements AsyncDisposable, AsyncIterable<Message> {
  readonly #connection: Connection;
  readonly #packets: FramedConnection<ToBroker, FromBroker>;
  /** Calls by the identifiers of their packets, which are in use until the acknowledgement. */
  readonly #calls = new Map<number, Call>();
  #lastId = 0;
  /** Messages that the reader has not taken, and their bytes. */
  readonly #messages: Publish[] = [];
  #heldBytes = 0;
  /** Wakes the readers and the receiver after something has changed. */
  #changed = Promise.withResolvers<void>();
  readonly #pings: ReturnType<typeof setInterval>;
  #bytesSeen = 0;
  #silentChecks = 0;
  #end: SocketError | undefined;

  private constructor(packets: FramedConnection<ToBroker, FromBroker>, keepAliveSeconds: number) {
    this.#packets = packets;
    this.#connection = packets.connection;
    // After half the time, so that a ping that is late still comes in time.
    this.#pings = setInterval(() => this.#ping(), keepAliveSeconds * 500);
    if (keepAliveSeconds === 0) clearInterval(this.#pings);
    void this.#receive();
  }

  /** Connects, with a new session. */
  static async connect(address: Address, options: MqttOptions = {}): Promise<MqttClient> {
    const { clientId = "", keepAliveSeconds = 60, timeout = 5000, maxLength, ...login } = options;
    const limits = { timeout, sendQueueLimit: 2 * MOST_QUEUED_BYTES };
    const connection = await connect(address, limits);
    try {
      const packets = framed(connection, clientPackets(maxLength));
      await sendFrame(packets, { type: "CONNECT", clientId, keepAliveSeconds, ...login });
      const answer = await recvFrame(packets, { timeout });
      if (answer === null) throw ended();
      if (answer.type !== "CONNACK") throw invalidFrame(`${answer.type} is no answer to CONNECT`);
      const { code, sessionPresent } = answer;
      if (code !== 0) throw new MqttRefusal(`the broker refuses: ${REFUSALS[code] ?? code}`, code);
      if (sessionPresent) throw invalidFrame("the broker goes on with a session that is new");
      return new MqttClient(packets, keepAliveSeconds);
    } catch (error) {
      abort(connection);
      throw error;
    }
  }

  /** Publishes a message. Resolves after its acknowledgement, or with QoS 0 after it was sent. */
  publish(
    topic: string,
    payload: Uint8Array | string,
    options: Pick<OutgoingMessage, "qos" | "retain"> = {},
  ): Promise<void> {
    return this.publishAll([{ ...options, topic, payload }]);
  }

  /** Publishes messages in one send: all, or none if one is invalid. Resolves after the last acknowledgement. */
  async publishAll(messages: Iterable<OutgoingMessage>): Promise<void> {
    const packets = Array.from(messages, ({ topic, payload, qos = 1, retain = false }) => {
      const bytes = typeof payload === "string" ? encoder.encode(payload) : payload;
      return { type: "PUBLISH" as const, topic, payload: bytes, qos, retain, id: 0 };
    });
    await this.#request("PUBACK", packets);
  }

  /** Subscribes to the topics of a filter. Resolves to the QoS that the broker grants. */
  async subscribe(filter: string, { qos = 1 }: { readonly qos?: 0 | 1 } = {}): Promise<number> {
    const code = await this.#request("SUBACK", [{ type: "SUBSCRIBE", id: 0, filter, qos }]);
    if (code === 0x80) throw new MqttRefusal(`the broker refuses the filter "${filter}"`, code);
    return code;
  }

  /** Ends a subscription. Messages that came before still wait for the reader. */
  async unsubscribe(filter: string): Promise<void> {
    await this.#request("UNSUBACK", [{ type: "UNSUBSCRIBE", id: 0, filter }]);
  }

  /** Iterates over messages. One of QoS 1 is acknowledged as it is given out. Ends without an error at `close`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) {
        this.#release(message);
        const { topic, payload, qos, retain } = message;
        yield { topic, payload, qos, retain };
      } else if (this.#end === undefined) {
        await this.#changed.promise;
      } else if (this.#end.kind === "Closed") {
        return;
      } else {
        throw this.#end;
      }
    }
  }

  /** Sends DISCONNECT and closes the connection. Calls without an answer reject `Closed`. */
  async close(): Promise<void> {
    this.#finish(new SocketError("Closed", "close", "this client was closed"));
    this.#messages.length = 0;
    sendFrame(this.#packets, { type: "DISCONNECT" }).catch(() => {});
    await close(this.#connection);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Sends packets, and resolves to the code of the last acknowledgement. */
  async #request(
    answer: FromBroker["type"],
    packets: (ToBroker & { id: number })[],
  ): Promise<number> {
    if (this.#end !== undefined) throw this.#end;
    const numbered = packets.filter((packet) => packet.type !== "PUBLISH" || packet.qos !== 0);
    const noId = this.#calls.size + numbered.length > MOST_IDS;
    if (noId || this.#connection.bytesQueued > MOST_QUEUED_BYTES) {
      const operation = answer === "PUBACK" ? "publish" : "subscribe";
      throw new SocketError("QueueFull", operation, "too much waits for the broker already");
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const call = { answer, waiting: numbered.length, resolve, reject };
    for (const packet of numbered) this.#calls.set(packet.id = this.#freeId(), call);
    if (numbered.length === 0) resolve(0);
    // The acknowledgement may be behind messages that nobody takes.
    this.#wake();
    try {
      return (await Promise.all([promise, sendFrames(this.#packets, packets)]))[0];
    } catch (error) {
      // Nothing was sent, or the connection is lost: then the receiver knows why.
      for (const { id } of numbered) this.#calls.delete(id);
      throw this.#end ?? error;
    }
  }

  #freeId(): number {
    do this.#lastId = this.#lastId % MOST_IDS + 1; while (this.#calls.has(this.#lastId));
    return this.#lastId;
  }

  async #receive(): Promise<void> {
    try {
      for (let packets; (packets = await recvFrames(this.#packets)) !== null;) {
        for (const packet of packets) this.#handle(packet);
        this.#wake();
        while (this.#isPaused()) await this.#changed.promise;
      }
      this.#fail(ended());
    } catch (error) {
      this.#fail(error as SocketError);
    }
  }

  #handle(packet: FromBroker): void {
    if (packet.type === "PINGRESP") return;
    if (packet.type === "CONNACK") throw invalidFrame("a second CONNACK came");
    if (packet.type === "PUBLISH") {
      this.#messages.push(packet);
      this.#heldBytes += packet.payload.length + MESSAGE_BYTES;
      if (this.#heldBytes <= MOST_HELD_BYTES || this.#messages.length === 1) return;
      const reason = "too many messages came for a reader that is too slow";
      throw new SocketError("QueueFull", "recvFrame", reason);
    }
    const { type, id } = packet;
    const call = this.#calls.get(id);
    if (call?.answer !== type) throw invalidFrame(`${type} came for ${id}, which waits for none`);
    this.#calls.delete(id);
    if (--call.waiting === 0) call.resolve(type === "SUBACK" ? packet.code : 0);
  }

  /** Returns true if the reader should take messages before more are read. A call must get its answer. */
  #isPaused(): boolean {
    return this.#heldBytes >= PAUSE_BYTES && this.#calls.size === 0 && this.#end === undefined;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Acknowledges a message that the reader takes. Until then the broker counts it as under way. */
  #release({ payload, qos, id }: Publish): void {
    const paused = this.#isPaused();
    this.#heldBytes -= payload.length + MESSAGE_BYTES;
    if (paused && !this.#isPaused()) this.#wake();
    if (qos === 0 || this.#end !== undefined) return;
    sendFrame(this.#packets, { type: "PUBACK", id }).catch((error) => this.#fail(error));
  }

  /** Asks the broker for a sign of life, and gives it up after three checks without one. */
  #ping(): void {
    const { bytesReceived } = this.#connection;
    const silent = bytesReceived === this.#bytesSeen && !this.#isPaused();
    this.#silentChecks = silent ? this.#silentChecks + 1 : 0;
    this.#bytesSeen = bytesReceived;
    if (this.#silentChecks === MOST_SILENT_CHECKS) {
      this.#fail(new SocketError("TimedOut", "recvFrame", "the broker does not answer pings"));
    } else {
      // If it fails, the receiver fails as well.
      sendFrame(this.#packets, { type: "PINGREQ" }).catch(() => {});
    }
  }

  /** Ends everything that waits. */
  #finish(reason: SocketError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    clearInterval(this.#pings);
    for (const call of this.#calls.values()) call.reject(reason);
    this.#calls.clear();
    this.#wake();
  }

  #fail(reason: SocketError): void {
    if (this.#end !== undefined) return;
    this.#finish(reason);
    abort(this.#connection);
  }
}

function ended(): SocketError {
  return new SocketError("UnexpectedEof", "recvFrame", "the broker has ended the connection");
}

/** Publishes each line of the input. */
async function publishInput(client: MqttClient, topic: string, qos: 0 | 1): Promise<void> {
  const input = connectionOver({
    read: (buffer) => Deno.stdin.read(buffer),
    write: (bytes) => Deno.stdout.write(bytes),
    close: () => {},
  });
  const texts = framed(input, lines());
  for (let batch; (batch = await recvFrames(texts)) !== null;) {
    await client.publishAll(batch.map((payload) => ({ topic, payload, qos })));
  }
}

async function main(): Promise<void> {
  const { values, positionals } = readCommand({
    qos: { type: "string", default: "1" },
    retain: { type: "boolean" },
    user: { type: "string" },
    password: { type: "string" },
  });
  const [broker, action, topic, message] = positionals;
  if (topic === undefined || !/^(?:publish|subscribe)$/.test(action)) {
    exitWithProblem("the arguments are HOST:PORT, publish or subscribe, and a topic");
  }
  const { user: userName, password, retain } = values;
  const qos = Number(values.qos) as 0 | 1;
  await using client = await MqttClient.connect(readAddress(broker), { userName, password });
  if (action === "publish") {
    if (message === undefined) return await publishInput(client, topic, qos);
    return await client.publish(topic, message, { qos, retain });
  }
  onInterrupt(() => void client.close());
  await client.subscribe(topic, { qos });
  for await (const { topic, payload } of client) {
    console.log(`${topic} ${new TextDecoder().decode(payload)}`);
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}
