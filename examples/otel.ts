/**
 * A relay whose connections are metrics and traces of OpenTelemetry, sent by the runtime's own exporter:
 *
 *     OTEL_DENO=true OTEL_SERVICE_NAME=relay deno run --allow-net otel.ts --target 127.0.0.1:6379 [--port 7777]
 *
 * Each client is joined with a connection to the target. The exporter sends to `OTEL_EXPORTER_OTLP_ENDPOINT`, by default
 * http://localhost:4318. Metrics have few attributes, since each combination of values costs memory in every part of the
 * way; who connected is in the traces. In your own program, import from "jsr:@aivi/sockets" instead.
 */
import { metrics, SpanKind, SpanStatusCode, trace } from "npm:@opentelemetry/api@1";
import {
  connect,
  type Connection,
  formatAddress,
  listen,
  observe,
  type Observer,
  serve,
  type SocketAddress,
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
  TCP,
} from "./network_attributes.ts";
import { waitInterrupt } from "./signals.ts";

const meter = metrics.getMeter("sockets");
const tracer = trace.getTracer("sockets");
const active = meter.createUpDownCounter("sockets.connections.active");
const connects = meter.createHistogram("sockets.connect.duration", { unit: "s" });
const lives = meter.createHistogram("sockets.connection.duration", { unit: "s" });
const bytes = meter.createCounter("sockets.io", { unit: "By" });
const refusals = meter.createCounter("sockets.refusals");

/** Records a span that ends now. */
function recordSpan(
  name: string,
  kind: SpanKind,
  { duration, error }: { duration: number; error?: Error },
  attributes: Attributes,
): void {
  const span = tracer.startSpan(name, { kind, attributes, startTime: Date.now() - duration });
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
  span.end();
}

/** Connections that this program has accepted; the others it has made itself. */
const accepted = new WeakSet<Connection<SocketAddress>>();

const telemetry: Partial<Observer> = {
  connect({ address, duration, connection, error }) {
    if (connection !== undefined) active.add(1, TCP);
    connects.record(duration / 1000, { ...TCP, ...errorAttributes(error) });
    const attributes = { ...serverAttributes(address), ...errorAttributes(error) };
    recordSpan("connect", SpanKind.CLIENT, { duration, error }, attributes);
  },
  accept({ connection }) {
    accepted.add(connection);
    active.add(1, TCP);
  },
  refuse: ({ reason }) => refusals.add(1, { ...TCP, "sockets.refusal.reason": reason }),
  close({ connection, bytesSent, bytesReceived, duration, error }) {
    active.add(-1, TCP);
    bytes.add(bytesSent, { ...TCP, "network.io.direction": "transmit" });
    bytes.add(bytesReceived, { ...TCP, "network.io.direction": "receive" });
    lives.record(duration / 1000, { ...TCP, ...errorAttributes(error) });
    const kind = accepted.has(connection) ? SpanKind.SERVER : SpanKind.CLIENT;
    recordSpan("connection", kind, { duration, error }, connectionAttributes(connection, error));
  },
};

const options = readOptions({
  target: { type: "string" },
  port: { type: "string", default: "7777" },
});
if (options.target === undefined) exitWithProblem("--target is missing, such as 127.0.0.1:6379");
const target = readAddress(options.target);
const interrupted = waitInterrupt();

observe(telemetry);
const listener = await listen({ host: "127.0.0.1", port: parsePort(options.port) })
  .catch(exitWithError);
const server = serve(listener, async (client, { signal }) => {
  await using upstream = await connect(target, { timeout: 5000, signal });
  await Promise.all([
    client.readable.pipeTo(upstream.writable, { signal }),
    upstream.readable.pipeTo(client.writable, { signal }),
  ]);
}, { maxConnectionsPerHost: 1000 });
console.log(`relaying from ${formatAddress(server.address)}`);
await interrupted;
await server.shutdown({ timeout: 5000 });
console.log("closed");
Deno.exit(0);
