/** Attributes of a connection, with the names of OpenTelemetry's semantic conventions, which logs can use as well. */
import type { Address, Connection, SocketError } from "../mod.ts";

export type Attributes = Record<string, string | number>;

/** Returns both ends of a connection, and the kind of the error that ended it. */
export function connectionAttributes(connection: Connection, error?: SocketError): Attributes {
  const { localAddress, remoteAddress } = connection;
  return {
    ...TCP,
    "network.type": networkType(remoteAddress),
    "network.local.address": localAddress.host,
    "network.local.port": localAddress.port,
    "network.peer.address": remoteAddress.host,
    "network.peer.port": remoteAddress.port,
    ...errorAttributes(error),
  };
}

/** Returns the target of a connect, as it was written. */
export function serverAttributes({ host, port }: Address): Attributes {
  return { ...TCP, "server.address": host, "server.port": port };
}

/** Returns the kind of an error: the message would be a value of its own for each address. */
export function errorAttributes(error: SocketError | undefined): Attributes {
  return error === undefined ? {} : { "error.type": error.kind };
}

export const TCP = { "network.transport": "tcp" } as const;

function networkType({ host }: Address): string {
  return host.includes(":") ? "ipv6" : "ipv4";
}
