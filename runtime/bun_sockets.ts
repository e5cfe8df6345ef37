import { fromRuntimeAddress, withZoneOf } from "../core/address_check.ts";
import { SocketError } from "../errors.ts";
import type { Address, Transport, TransportListener } from "../types.ts";
import { AcceptQueue } from "./accept_queue.ts";
import type { Backend, ListenSettings, TcpSettings } from "./backend.ts";
import { type BunSocket, BunStream, STREAM_EVENTS } from "./bun_stream.ts";
import { explainNodeFailure } from "./node_errors.ts";

/** A listener of Bun. */
interface BunServer {
  readonly hostname: string;
  readonly port: number;
  /** Fills an object with the address. */
  getsockname(into: { address?: string }): void;
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
  open: () => T | Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw explainNodeFailure(error, operation, address);
  }
}

class BunListener implements TransportListener {
  readonly address: Address;
  readonly #server: BunServer;
  readonly #clients: AcceptQueue<BunStream>;

  constructor(runtime: BunRuntime, { host, port }: Address, settings: ListenSettings) {
    const server = this.#server = runtime.listen({
      hostname: host,
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
    // The host is the one that was asked for, which may be a name.
    const bound: { address?: string } = {};
    server.getsockname(bound);
    const hostname = bound.address ?? server.hostname;
    this.address = withZoneOf(host, fromRuntimeAddress({ hostname, port: server.port }));
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

function listen(runtime: BunRuntime, address: Address, settings: ListenSettings): BunListener {
  const { backlog = BACKLOG } = settings;
  if (backlog !== BACKLOG) {
    const reason = `Bun has a backlog of ${BACKLOG} and no other`;
    throw new SocketError("Unsupported", "listen", reason, { address });
  }
  return new BunListener(runtime, address, settings);
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
