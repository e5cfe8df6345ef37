/**
 * Connections that stay open for days.
 *
 * @module
 */

export { heartbeat, type HeartbeatOptions } from "./session/heartbeat.ts";
