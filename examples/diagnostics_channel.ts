/**
 * An echo server that publishes its connections on `node:diagnostics_channel`, for tools that listen there, such as the
 * agents of monitoring services. Here a subscriber sends each message to a collector, as one datagram of JSON:
 *
 *     deno run --allow-net diagnostics_channel.ts --collector 127.0.0.1:8125 [--port 7777]
 *
 * A message names its fields as OpenTelemetry's semantic conventions do. In your own program, import from
 * "jsr:@aivi/sockets" instead.
 */
import { channel } from "node:diagnostics_channel";
import {
  bindUdp,
  formatAddress,
  listen,
  observe,
  type Observer,
  send,
  sendTo,
  serve,
} from "../mod.ts";
import {
  exitWithError,
  exitWithProblem,
  parsePort,
  readAddress,
  readOptions,
} from "./arguments.ts";
import {
  type Attributes,
  connectionAttributes,
  errorAttributes,
  serverAttributes,
} from "./network_attributes.ts";
import { waitInterrupt } from "./signals.ts";

const CHANNELS = {
  connect: channel("sockets:connect"),
  accept: channel("sockets:accept"),
  refuse: channel("sockets:refuse"),
  close: channel("sockets:close"),
};

/** Publishes a message if anybody subscribes to it. */
function publish(name: keyof typeof CHANNELS, attributes: () => Attributes): void {
  if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish(attributes());
}

const publisher: Partial<Observer> = {
  connect: ({ address, error }) =>
    publish("connect", () => ({ ...serverAttributes(address), ...errorAttributes(error) })),
  accept: ({ connection }) => publish("accept", () => connectionAttributes(connection)),
  refuse: ({ connection, reason }) =>
    publish("refuse", () => ({ ...connectionAttributes(connection), reason })),
  close: ({ connection, bytesSent, bytesReceived, duration, error }) =>
    publish("close", () => ({
      ...connectionAttributes(connection, error),
      bytesSent,
      bytesReceived,
      duration,
    })),
};

const options = readOptions({
  collector: { type: "string" },
  port: { type: "string", default: "7777" },
});
if (options.collector === undefined) {
  exitWithProblem("--collector is missing, such as 127.0.0.1:8125");
}
const collector = readAddress(options.collector);
const socket = await bindUdp({ host: "127.0.0.1", port: 0 });
const interrupted = waitInterrupt();

for (const [name, messages] of Object.entries(CHANNELS)) {
  messages.subscribe((message) => {
    const bytes = new TextEncoder().encode(JSON.stringify({ name, ...message as Attributes }));
    // Telemetry that cannot be sent is no reason to stop.
    sendTo(socket, collector, bytes).catch(() => {});
  });
}
observe(publisher);

const listener = await listen({ host: "127.0.0.1", port: parsePort(options.port) })
  .catch(exitWithError);
const server = serve(listener, async (client) => {
  for await (const bytes of client) await send(client, bytes);
}, { idleTimeout: 60_000, onError: () => {} });
console.log(`echoing on ${formatAddress(server.address)}`);
await interrupted;
await server.shutdown({ timeout: 5000 });
await socket[Symbol.asyncDispose]();
console.log("closed");
Deno.exit(0);
