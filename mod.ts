/**
 * TCP and UDP sockets for custom protocols and long-lived connections.
 *
 * @module
 */

export { formatAddress, parseAddress } from "./address.ts";
export * from "./connection.ts";
export * from "./errors.ts";
export * from "./tcp.ts";
export * from "./udp.ts";
export type * from "./types.ts";
