import { assertEquals } from "@std/assert";
import {
  accept,
  type Address,
  closeListener,
  framed,
  type FramedConnection,
  listen,
  type Listener,
  recvFrame,
  send,
} from "../../mod.ts";
import { MqttClient, type MqttOptions } from "../../examples/mqtt_client.ts";
import { type Packet, packets } from "../../examples/mqtt_codec.ts";
import { soon } from "./socket_errors.ts";

const ACCEPTED = [0x20, 2, 0, 0];

/** The broker's side of one client, which sends any bytes and does nothing by itself. */
export class FakeBroker implements AsyncDisposable {
  readonly packets: FramedConnection<Packet>;
  readonly #listener: Listener;

  private constructor(listener: Listener, packets: FramedConnection<Packet>) {
    this.#listener = listener;
    this.packets = packets;
  }

  /** Accepts a client that `start` makes, and reads its CONNECT. */
  static async accept<T>(start: (address: Address) => T): Promise<[FakeBroker, T]> {
    const listener = await listen({ host: "127.0.0.1", port: 0 });
    const started = start(listener.address);
    const broker = new FakeBroker(listener, framed(await soon(accept(listener)), packets(2 ** 21)));
    assertEquals((await broker.next()).type, 1);
    return [broker, started];
  }

  /** Makes a pair of a broker and a client that it has accepted. */
  static async pair(options: MqttOptions = {}): Promise<[FakeBroker, MqttClient]> {
    const [broker, client] = await FakeBroker.accept((address) =>
      MqttClient.connect(address, options)
    );
    await broker.send(ACCEPTED);
    return [broker, await client];
  }

  async send(bytes: readonly number[] | Uint8Array): Promise<void> {
    await send(this.packets.connection, Uint8Array.from(bytes));
  }

  /** Returns the next packet of the client. */
  async next(): Promise<Packet> {
    const packet = await soon(recvFrame(this.packets));
    if (packet === null) throw new Error("the client has ended the connection");
    return packet;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeListener(this.#listener);
    await this.packets[Symbol.asyncDispose]();
  }
}

/** Returns the identifier of a packet that has it after its topic, if it is a PUBLISH of QoS 1, or at its beginning. */
export function idOf({ type, body }: Packet): number {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  return view.getUint16(type === 3 ? 2 + view.getUint16(0) : 0);
}

/** Returns an acknowledgement of this type for an identifier. */
export function acknowledge(type: number, id: number, ...codes: number[]): number[] {
  return [type << 4, 2 + codes.length, id >> 8, id & 255, ...codes];
}

/** Returns a PUBLISH of the topic `a` with a payload of at most 120 bytes; QoS 1 if it has an identifier. */
export function publish(payload: readonly number[], id?: number): number[] {
  const idBytes = id === undefined ? [] : [id >> 8, id & 255];
  const body = [0, 1, 97, ...idBytes, ...payload];
  return [id === undefined ? 0x30 : 0x32, body.length, ...body];
}
