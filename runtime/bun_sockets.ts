import { fromRuntimeAddress, withZoneOf } from "../core/address_check.ts";
import { withoutZone } from "../core/ip_address.ts";
import { SocketError } from "../errors.ts";
import type { Address, Transport, TransportListener } from "../types.ts";
import { AcceptQueue } from "./accept_queue.ts";
import type { Backend, ListenSettings, TcpSettings } from "./backend.ts";
import { type BunSocket, BunStream, STREAM_EVENTS } from "./bun_stream.ts";
import { resolveName } from "./datagram_support.ts";
import { explainNodeFailure } from "./node_errors.ts";

/** A listener of Bun. */
interface BunServer {
  readonly port: number;
  stop(): void;
  ref(): void;
  unref(): void;
}

/** The events of a socket, as Bun takes them. */
type Events = typeof STREAM_EVENTS & { open(socket: BunSocket): void };

/** The part of Bun that this package uses. */
interface BunRuntime {
  listen(options: {
    hostname: string;
    port: number;
    allowHalfOpen: boolean;
    reusePort: boolean;
    socket: Events;
  }): BunServer;
  connect(options: {
    hostname: string;
    port: number;
    allowHalfOpen: boolean;
    socket: Events;
  }): Promise<BunSocket>;
}

/** The backlog of every listener of Bun. */
const BACKLOG = 512;

const { Bun: bun } = globalThis as unknown as { Bun?: BunRuntime };

/** The sockets of Bun, or nothing on another runtime. */
export const bunSockets: Pick<Backend, "listen" | "connect"> | undefined =
  typeof bun?.listen === "function" && typeof bun.connect === "function"
    ? {
      listen: (address, settings) =>
        explained("listen", address, () => listen(bun, address, settings)),
      connect: (address, settings) =>
        explained("connect", address, () => connect(bun, address, settings)),
    }
    : undefined;

async function explained<T>(
  operation: string,
  address: Address,
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw explainNodeFailure(error, operation, address);
  }
}

class BunListener implements TransportListener<Address> {
  readonly address: Address;
  readonly #server: BunServer;
  readonly #clients: AcceptQueue<BunStream>;

  /** @param hostname The IP address of the host. */
  constructor(
    runtime: BunRuntime,
    hostname: string,
    { host, port }: Address,
    settings: ListenSettings,
  ) {
    const server = this.#server = runtime.listen({
      hostname,
      port,
      allowHalfOpen: true,
      reusePort: settings.reusePort,
      socket: {
        ...STREAM_EVENTS,
        open: (socket) => {
          const stream = new BunStream(socket);
          stream.applySettings(settings);
          this.#clients.add(stream);
        },
      },
    });
    this.#clients = new AcceptQueue({
      setReferenced: (on) => on ? server.ref() : server.unref(),
      open: (stream) => stream,
      refuse: (stream) => stream.reset(),
    });
    const bound = fromRuntimeAddress({ hostname: withoutZone(hostname), port: server.port });
    this.address = withZoneOf(host, bound);
  }

  accept(): Promise<Transport> {
    return this.#clients.accept();
  }

  ref(): void {
    this.#clients.setReferenced(true);
  }

  unref(): void {
    this.#clients.setReferenced(false);
  }

  close(): void {
    this.#server.stop();
    this.#clients.close();
  }
}

async function listen(
  runtime: BunRuntime,
  address: Address,
  settings: ListenSettings,
): Promise<TransportListener> {
  const { backlog = BACKLOG } = settings;
  if (backlog !== BACKLOG) {
    const reason = `Bun has a backlog of ${BACKLOG} and no other`;
    throw new SocketError("Unsupported", "listen", reason, { address });
  }
  // The runtime does not say that it does not know a name.
  const hostname = await resolveName("listen", address);
  return new BunListener(runtime, hostname, address, settings);
}

/**
 * Connects through the runtime, which resolves the name and tries each address. It cannot stop the attempt: the caller
 * closes a connection that comes after its signal.
 */
async function connect(
  runtime: BunRuntime,
  { host, port }: Address,
  settings: TcpSettings,
): Promise<Transport> {
  let stream: BunStream | undefined;
  await runtime.connect({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: {
      ...STREAM_EVENTS,
      open: (socket) => {
        stream = new BunStream(socket);
        stream.applySettings(settings);
      },
    },
  });
  return stream!;
}
