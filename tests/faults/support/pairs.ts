import { assertEquals } from "@std/assert";
import type { ConnectOptions, SocketErrorKind } from "../../../mod.ts";
import type { Received, Tls } from "../programs/streams.ts";
import type { Host, HostOptions } from "./host.ts";
import { ADDRESSES, type Network } from "./network.ts";

/** Two hosts with a connection between them, named "it" on both sides. */
export interface ConnectedHosts {
  /** The host that connected. */
  readonly client: Host;
  /** The host that accepted. */
  readonly server: Host;
  readonly port: number;
}

export interface PairOptions extends HostOptions {
  readonly family?: 4 | 6;
  readonly connect?: Omit<ConnectOptions, "signal">;
  readonly tls?: Tls;
}

/** Connects side a to side b, and closes the listener afterwards. */
export async function connectedHosts(
  network: Network,
  { family = 4, connect = {}, tls, ...options }: PairOptions = {},
): Promise<ConnectedHosts> {
  const [client, server] = await network.hosts(options);
  const host = ADDRESSES.b[family];
  const { port } = await server.do("listen", { as: "listener", host, tls });
  await Promise.all([
    server.do("accept", { on: "listener", as: "it" }),
    client.do("connect", { as: "it", host, port, tls, ...connect }),
  ]);
  await server.do("closeListener", { on: "listener" });
  return { client, server, port };
}

/** Closes the connection on both sides at once. */
export async function closeBoth(
  { client, server }: Pick<ConnectedHosts, "client" | "server">,
): Promise<void> {
  await Promise.all([client.do("close", { on: "it" }), server.do("close", { on: "it" })]);
}

/** Returns the end of a series of receiving calls as one word. */
export function endKind(end: Received["end"]): string | undefined {
  return typeof end === "object" ? end.kind : end;
}

/** Checks that a broken connection stays broken: each further call gives the same kind. */
export async function provesBroken(
  host: Host,
  kind: SocketErrorKind = "ConnectionReset",
): Promise<void> {
  const failures = await host.do("broken", { on: "it", times: 3 });
  assertEquals(failures.map((failure) => failure.kind), Array(6).fill(kind));
  assertEquals(failures.filter((failure) => failure.retryable), []);
}

/** Waits until the kernel of side a has acknowledged everything that side b sent. */
export async function acknowledged(network: Network, port: number): Promise<void> {
  for (let look = 0; look < 200; look++) {
    const [, , sending] = (await network.sh("b", `ss -tnH sport = :${port}`)).split(/\s+/);
    if (sending === "0") return;
  }
  throw new Error("the bytes were never acknowledged");
}
