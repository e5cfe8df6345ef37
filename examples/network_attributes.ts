/** Attributes of a connection, with the names of OpenTelemetry's semantic conventions, which logs can use as well. */
import type { Address, Connection, SocketAddress, SocketError } from "../mod.ts";

export type Attributes = Record<string, string | number>;

/** Returns both ends of a connection, and the kind of the error that ended it. */
export function connectionAttributes(
  connection: Connection<SocketAddress>,
  error?: SocketError,
): Attributes {
  const { localAddress, remoteAddress } = connection;
  return {
    ...transportOf(remoteAddress),
    ...named("network.local", localAddress),
    ...named("network.peer", remoteAddress),
    ...errorAttributes(error),
  };
}

/** Returns the target of a connect, as it was written. */
export function serverAttributes(address: SocketAddress): Attributes {
  const { host, port } = address;
  return host === undefined
    ? { ...UNIX, "server.address": address.path }
    : { ...TCP, "server.address": host, "server.port": port };
}

/** Returns the kind of an error: the message would be a value of its own for each address. */
export function errorAttributes(error: SocketError | undefined): Attributes {
  return error === undefined ? {} : { "error.type": error.kind };
}

export const TCP = { "network.transport": "tcp" } as const;
const UNIX = { "network.transport": "unix" } as const;

function transportOf(address: SocketAddress): Attributes {
  return address.host === undefined ? UNIX : { ...TCP, "network.type": networkType(address) };
}

function named(prefix: string, address: SocketAddress): Attributes {
  return address.host === undefined
    ? { [`${prefix}.address`]: address.path }
    : { [`${prefix}.address`]: address.host, [`${prefix}.port`]: address.port };
}

function networkType({ host }: Address): string {
  return host.includes(":") ? "ipv6" : "ipv4";
}
