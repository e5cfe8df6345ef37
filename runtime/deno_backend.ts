import { fromRuntimeAddress, withZoneOf } from "../core/address_check.ts";
import { SocketError } from "../errors.ts";
import type { Address, Transport, TransportListener } from "../types.ts";
import type {
  Backend,
  DatagramSettings,
  DatagramSocket,
  ListenSettings,
  TcpSettings,
} from "./backend.ts";
import { DenoDatagrams, hasUnstableNet } from "./deno_datagrams.ts";
import { connectUnix, listenUnix } from "./deno_unix.ts";
import { NodeDatagrams } from "./node_datagrams.ts";
import { explainDenial } from "./permissions.ts";

/** The sockets of Deno. A connection's transport is the `Deno.TcpConn` or `Deno.UnixConn` itself. */
export const denoBackend: Backend = {
  listen,
  connect,
  listenUnix,
  connectUnix,
  bindDatagrams,
};

class DenoListener implements TransportListener<Address> {
  readonly address: Address;
  readonly #listener: Deno.TcpListener;
  readonly #settings: TcpSettings;

  constructor(listener: Deno.TcpListener, host: string, settings: TcpSettings) {
    this.#listener = listener;
    this.#settings = settings;
    this.address = withZoneOf(host, fromRuntimeAddress(listener.addr));
  }

  async accept(): Promise<Transport> {
    const conn = await this.#listener.accept();
    applySettings(conn, this.#settings);
    return conn;
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }

  close(): void {
    this.#listener.close();
  }
}

// deno-lint-ignore require-await -- async so that what the runtime throws rejects
async function listen(address: Address, settings: ListenSettings): Promise<TransportListener> {
  const { backlog, reusePort } = settings;
  // Without the flag the runtime ends the process with code 70 if it gets this option.
  if (reusePort && !hasUnstableNet()) {
    throw new SocketError("Unsupported", "listen", "reusePort needs --unstable-net", { address });
  }
  try {
    const listener = Deno.listen({
      hostname: address.host,
      port: address.port,
      ...backlog === undefined ? {} : { tcpBacklog: backlog },
      ...reusePort ? { reusePort } : {},
    });
    return new DenoListener(listener, address.host, settings);
  } catch (error) {
    throw explainDenial(error, "listen", address);
  }
}

/** Connects through the runtime, which resolves the name and tries each address (RFC 8305). */
async function connect(
  address: Address,
  settings: TcpSettings,
  signal?: AbortSignal,
): Promise<Transport> {
  const target = { hostname: address.host, port: address.port };
  // The runtime calls this after it has connected, and forgets the open socket if it throws: up to 3 % of aborts that
  // met the success left a socket behind. If it does not throw, the runtime gives us the late connection.
  if (signal !== undefined) signal.throwIfAborted = () => {};
  try {
    const conn = await Deno.connect(signal === undefined ? target : { ...target, signal });
    if (!signal?.aborted) applySettings(conn, settings);
    return conn;
  } catch (error) {
    throw explainDenial(error, "connect", address);
  }
}

async function bindDatagrams(
  address: Address,
  settings: DatagramSettings,
): Promise<DatagramSocket> {
  if (!hasUnstableNet()) return await NodeDatagrams.bind(address, settings);
  try {
    return await DenoDatagrams.bind(address, settings);
  } catch (error) {
    throw explainDenial(error, "bindUdp", address);
  }
}

/**
 * Applies the settings if the runtime still can: on a connection that the peer has already reset, setsockopt(2) fails,
 * and the first send or recv reports the reset.
 */
function applySettings(conn: Deno.TcpConn, { noDelay, keepAlive }: TcpSettings): void {
  try {
    if (noDelay) conn.setNoDelay(true);
    if (keepAlive) conn.setKeepAlive(true);
  } catch {
    // The first send or recv reports it.
  }
}
