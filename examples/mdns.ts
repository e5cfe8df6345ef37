/**
 * Finds services in the local network by multicast DNS, or announces one, as printers and players do:
 *
 *     deno run --allow-net mdns.ts browse _http._tcp [--seconds 3]
 *     deno run --allow-net mdns.ts announce "My page" _http._tcp 8000 --interface 192.168.1.7
 *
 * `--interface` is this machine's address in the network. An announcement needs it, since it says where the service is.
 * In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { bindUdp, closeUdp, joinMulticast, sendTo, SocketError, type UdpSocket } from "../mod.ts";
import { exitWithError, exitWithProblem, parsePort, readCommand } from "./arguments.ts";
import { decodeMessage, encodeMessage, isSameName, TYPES } from "./mdns_message.ts";
import type { DnsRecord, Message, Name } from "./mdns_message.ts";
import { waitInterrupt } from "./signals.ts";

const GROUP = { host: "224.0.0.251", port: 5353 };
/** RFC 6762, section 11. */
const TTL = 255;
/** Questions and announcements are repeated, because any datagram may be lost. */
const REPEAT_MS = 1000;
const PROBE_MS = 250;
const RECORD_SECONDS = 120;
/** The most that a resolver that is no member of the group may keep an answer (section 6.7). */
const LEGACY_SECONDS = 10;

/** A member of the group that sends by the same interface as it receives on. */
class Mdns implements AsyncDisposable {
  readonly #receiver: UdpSocket;
  readonly #sender: UdpSocket;

  private constructor(receiver: UdpSocket, sender: UdpSocket) {
    this.#receiver = receiver;
    this.#sender = sender;
  }

  static async open(address: string | undefined): Promise<Mdns> {
    // Other programs of this machine use the port as well. TTL 255 shows receivers that no router passed it on.
    const options = { reuseAddress: true, multicastTtl: TTL };
    const receiver = await bindUdp({ host: "0.0.0.0", port: GROUP.port }, options);
    await joinMulticast(receiver, GROUP.host, { interface: address });
    // A socket that is bound to an interface's address sends by that interface, with either backend.
    const sender = address === undefined
      ? receiver
      : await bindUdp({ host: address, port: GROUP.port }, options);
    return new Mdns(receiver, sender);
  }

  async send(message: Partial<Message>, to = GROUP): Promise<void> {
    try {
      await sendTo(this.#sender, to, encodeMessage(message, to === GROUP));
    } catch (error) {
      // The network may be down for a while, or the address of a question forged.
      console.error(error instanceof SocketError ? error.message : error);
    }
  }

  async *[Symbol.asyncIterator]() {
    for await (const { from, bytes } of this.#receiver) {
      try {
        yield { from, message: decodeMessage(bytes) };
      } catch {
        // Anybody may send anything to the port.
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeUdp(this.#receiver);
    await closeUdp(this.#sender);
  }
}

/** Collects services of a type, and prints each when its host, its port and its address are known. */
async function browse(mdns: Mdns, type: Name, seconds: number): Promise<void> {
  const known = new Map<string, DnsRecord>();
  const printed = new Set<string>();
  const find = (type: number, name: Name) =>
    known.get(JSON.stringify([type, name]).toLowerCase())?.data;
  const ask = () => void mdns.send({ questions: [{ name: type, type: TYPES.PTR }] });
  const repeating = setInterval(ask, REPEAT_MS);
  const ending = setTimeout(() => void mdns[Symbol.asyncDispose](), seconds * 1000);
  ask();
  for await (const { from, message } of mdns) {
    // Questions are not for us, and answers from another port are forged (RFC 6762, section 6).
    if (!message.isAnswer || from.port !== GROUP.port) continue;
    for (const record of message.records) {
      const { name, type, data } = record;
      const key = JSON.stringify(type === TYPES.PTR ? [type, name, data] : [type, name]);
      if (record.ttl > 0) known.set(key.toLowerCase(), record);
      else known.delete(key.toLowerCase());
    }
    for (const { name, type: found, data } of known.values()) {
      if (found !== TYPES.PTR || !isSameName(name, type)) continue;
      const instance = data as Name;
      const service = find(TYPES.SRV, instance) as { host: Name; port: number } | undefined;
      const address = service && find(TYPES.A, service.host);
      const text = find(TYPES.TXT, instance) ?? "";
      const line = `${instance[0]}: ${address}:${service?.port} ${text}`.trimEnd();
      if (address === undefined || printed.has(line)) continue;
      printed.add(line);
      console.log(line);
    }
  }
  clearInterval(repeating);
  clearTimeout(ending);
  if (printed.size === 0) console.log(`no service ${type.join(".")} answered`);
}

/** Announces a service and answers questions for it, until a signal ends the program. */
async function announce(mdns: Mdns, records: readonly DnsRecord[], instance: Name): Promise<void> {
  let probing = true;
  let stopped = false;
  const ended = waitInterrupt();
  const answering = (async () => {
    for await (const { from, message } of mdns) {
      if (message.isAnswer) {
        const isTaken = message.records.some(({ name, ttl, type }) =>
          isSameName(name, instance) && type === TYPES.SRV && ttl > 0
        );
        if (probing && isTaken) exitWithProblem(`the name "${instance[0]}" is taken`);
        continue;
      }
      const found = answersTo(message, records);
      if (probing || stopped || found.length === 0) continue;
      if (from.port === GROUP.port) await mdns.send({ isAnswer: true, records: found });
      else {
        // A resolver that is no member of the group expects an ordinary answer of DNS.
        const { id, questions } = message;
        const short = found.map((record) => ({ ...record, ttl: LEGACY_SECONDS }));
        await mdns.send({ id, isAnswer: true, questions, records: short }, from);
      }
    }
  })();
  for (let probe = 0; probe < 3; probe++) {
    await mdns.send({ questions: [{ name: instance, type: TYPES.ANY }] });
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS));
  }
  probing = false;
  await mdns.send({ isAnswer: true, records });
  const again = setTimeout(() => void mdns.send({ isAnswer: true, records }), REPEAT_MS);
  console.log(`announced "${instance[0]}"`);
  await ended;
  stopped = true;
  clearTimeout(again);
  await mdns.send({ isAnswer: true, records: records.map((record) => ({ ...record, ttl: 0 })) });
  await mdns[Symbol.asyncDispose]();
  await answering;
}

/** Returns all records if a question asks for one of them that the asker does not know yet. */
function answersTo({ questions, records: known }: Message, records: readonly DnsRecord[]) {
  const isAskedFor = ({ name, type, data }: DnsRecord) =>
    questions.some((question) =>
      isSameName(question.name, name) && [type, TYPES.ANY].includes(question.type)
    ) && !known.some((record) =>
      isSameName(record.name, name) && record.type === type &&
      JSON.stringify(record.data) === JSON.stringify(data) && record.ttl > RECORD_SECONDS / 2
    );
  return records.some(isAskedFor) ? records : [];
}

const USAGE = "usage: mdns.ts browse TYPE, or mdns.ts announce NAME TYPE PORT --interface ADDRESS";

async function main(): Promise<void> {
  const { values, positionals: [command, ...rest] } = readCommand({
    interface: { type: "string" },
    seconds: { type: "string", default: "3" },
    text: { type: "string", default: "" },
  });
  const type = [...(rest.at(command === "announce" ? 1 : 0) ?? "").split("."), "local"];
  if (!/^_[a-z0-9-]+\._(tcp|udp)\.local$/i.test(type.join("."))) exitWithProblem(USAGE);
  const at = values.interface;
  const open = () => Mdns.open(at).catch(exitWithError);
  if (command === "browse" && rest.length === 1) {
    const seconds = Number(values.seconds);
    if (!(seconds > 0 && seconds < 1e6)) exitWithProblem("seconds is a number above 0");
    return await browse(await open(), type, seconds);
  }
  const [name, , port, ...more] = rest;
  if (command !== "announce" || port === undefined || more.length > 0 || at === undefined) {
    exitWithProblem(USAGE);
  }
  if (name === "" || new TextEncoder().encode(name).length > 63) {
    exitWithProblem("a name has 1 to 63 bytes");
  }
  const instance = [name, ...type];
  const host = [`sockets-${crypto.randomUUID().slice(0, 8)}`, "local"];
  const ttl = RECORD_SECONDS;
  const records: DnsRecord[] = [
    { name: type, type: TYPES.PTR, ttl, data: instance },
    { name: ["_services", "_dns-sd", "_udp", "local"], type: TYPES.PTR, ttl, data: type },
    { name: instance, type: TYPES.SRV, ttl, data: { host, port: parsePort(port) } },
    { name: instance, type: TYPES.TXT, ttl, data: values.text },
    { name: host, type: TYPES.A, ttl, data: at },
  ];
  await announce(await open(), records, instance);
}

if (import.meta.main) await main();
