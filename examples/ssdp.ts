/**
 * Finds devices by SSDP, the discovery of UPnP, or announces one:
 *
 *     deno run --allow-net ssdp.ts search [upnp:rootdevice] [--seconds 3]
 *     deno run --allow-net ssdp.ts announce urn:example:device:1 http://192.168.1.7:8000/ [--interface 192.168.1.7]
 *
 * `--interface` is this machine's address in the network, if it is in several. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import { type Address, bindUdp, closeUdp, joinMulticast, recvFrom } from "../mod.ts";
import { sendTo, SocketError, type UdpSocket } from "../mod.ts";
import { exitWithError, exitWithProblem, parsePort, readCommand } from "./arguments.ts";
import { waitInterrupt } from "./signals.ts";

const GROUP = "239.255.255.250";
/** UPnP Device Architecture 2.0, section 1.3.3: a datagram passes at most one router. */
const MULTICAST_TTL = 2;
const ATTEMPTS = 2;
const ATTEMPT_PAUSE_MS = 300;
/** Time for which an answer may be kept. */
const MAX_AGE_SECONDS = 1800;
const ALL = "ssdp:all";

type Headers = ReadonlyMap<string, string>;

/** Writes a message: a request or status line, and headers. */
function encode(start: string, headers: Record<string, string>): Uint8Array {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return new TextEncoder().encode([start, ...lines, "", ""].join("\r\n"));
}

/** Reads a message. Gives no headers if it is none, as anybody may send. */
function decode(bytes: Uint8Array): { start: string; headers: Headers } {
  const [start, ...lines] = new TextDecoder().decode(bytes).split(/\r?\n/);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = /^([\w.-]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined) headers.set(name.toUpperCase(), value);
  }
  return { start, headers };
}

/** Asks the group, and prints each answer, which comes to this socket alone. */
async function search(
  { group, interface: at, target, seconds }: {
    group: Address;
    interface: string | undefined;
    target: string;
    seconds: number;
  },
): Promise<void> {
  // A socket that is bound to an interface's address sends by that interface, with either backend.
  const local = { host: at ?? "0.0.0.0", port: 0 };
  await using socket = await bindUdp(local, { multicastTtl: MULTICAST_TTL }).catch(exitWithError);
  const question = encode("M-SEARCH * HTTP/1.1", {
    HOST: `${group.host}:${group.port}`,
    MAN: '"ssdp:discover"',
    // Devices answer after a random time below this, so that they do not all answer at once.
    MX: `${Math.max(1, Math.min(5, Math.floor(seconds) - 1))}`,
    ST: target,
  });
  const signal = AbortSignal.timeout(seconds * 1000);
  const printed = new Set<string>();
  const asking = ask(socket, group, question).catch(exitWithError);
  for (;;) {
    let answer: Headers;
    try {
      const { start, headers } = decode((await recvFrom(socket, { signal })).bytes);
      if (!/^HTTP\/1\.[01] 200\b/.test(start)) continue;
      answer = headers;
    } catch (error) {
      if (error instanceof SocketError && error.kind === "Aborted") break;
      throw error;
    }
    const line = `${answer.get("USN")} ${answer.get("LOCATION") ?? "without a location"}`;
    // A device answers each repetition.
    if (answer.has("USN") && !printed.has(line)) console.log(line);
    printed.add(line);
  }
  await asking;
  if (printed.size === 0) console.log("no device answered");
}

/** Sends the question more than once, because any datagram may be lost. */
async function ask(socket: UdpSocket, group: Address, question: Uint8Array): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await sendTo(socket, group, question);
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_PAUSE_MS));
  }
}

/** Answers searches for a device, until a signal ends the program. */
async function announce(
  { group, interface: at, target, location }: {
    group: Address;
    interface: string | undefined;
    target: string;
    location: string;
  },
): Promise<void> {
  const options = { reuseAddress: true, multicastTtl: MULTICAST_TTL };
  const socket = await bindUdp({ host: "0.0.0.0", port: group.port }, options)
    .catch(exitWithError);
  await joinMulticast(socket, group.host, { interface: at }).catch(exitWithError);
  const sender = at === undefined
    ? socket
    : await bindUdp({ host: at, port: 0 }, options).catch(exitWithError);
  const device = { NT: target, USN: `uuid:${crypto.randomUUID()}::${target}`, LOCATION: location };
  const notify = (event: "alive" | "byebye") =>
    sendTo(
      sender,
      group,
      encode("NOTIFY * HTTP/1.1", {
        HOST: `${group.host}:${group.port}`,
        NTS: `ssdp:${event}`,
        "CACHE-CONTROL": `max-age=${MAX_AGE_SECONDS}`,
        ...device,
      }),
    ).catch((error) => console.error(error.message));
  void waitInterrupt().then(async () => {
    await notify("byebye");
    await closeUdp(socket);
  });
  await notify("alive");
  console.log(`announced ${target}`);
  for await (const { from, bytes } of socket) {
    const { start, headers } = decode(bytes);
    if (!start.startsWith("M-SEARCH ") || headers.get("MAN") !== '"ssdp:discover"') continue;
    if (![target, ALL].includes(headers.get("ST") ?? "")) continue;
    const wait = Math.random() * Math.min(Number(headers.get("MX")) || 0, 5) * 1000;
    const answer = encode("HTTP/1.1 200 OK", {
      "CACHE-CONTROL": `max-age=${MAX_AGE_SECONDS}`,
      EXT: "",
      ST: target,
      USN: device.USN,
      LOCATION: location,
    });
    // The address may be forged, or the network down: the next question is answered all the same.
    const timer = setTimeout(() => void sendTo(sender, from, answer).catch(() => {}), wait);
    Deno.unrefTimer(timer);
  }
  await closeUdp(sender);
}

const USAGE = "usage: ssdp.ts search [TARGET], or ssdp.ts announce TARGET URL";

if (import.meta.main) {
  const { values, positionals: [command, target = ALL, location, ...more] } = readCommand({
    interface: { type: "string" },
    port: { type: "string", default: "1900" },
    seconds: { type: "string", default: "3" },
  });
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds < 1e6)) exitWithProblem("seconds is a number above 0");
  const group = { host: GROUP, port: parsePort(values.port) };
  const given = { group, interface: values.interface, target };
  const isClean = [target, location].every((text) => text === undefined || /^[!-~]+$/.test(text));
  if (!isClean || more.length > 0) exitWithProblem(USAGE);
  if (command === "search" && location === undefined) await search({ ...given, seconds });
  else if (command === "announce" && location !== undefined) await announce({ ...given, location });
  else exitWithProblem(USAGE);
}
