import { abort, type Connection, connectionOver, heartbeat } from "../../mod.ts";
import { ScriptedTransport } from "./scripted_transport.ts";
import { turns } from "./turns.ts";
import { type VirtualTime, virtualTime } from "./virtual_time.ts";

/** Time without a byte until the ping (ms). */
export const INTERVAL = 1000;
/** Time without a byte after the ping until the abort (ms). */
export const TIMEOUT = 800;
/** Longest time between two checks: a ping is late by at most two of them (ms). */
export const CHECK = TIMEOUT / 8;

/** A connection over a scripted transport with a heartbeat, in virtual time. */
export interface Beating extends AsyncDisposable {
  readonly time: VirtualTime;
  readonly transport: ScriptedTransport;
  readonly connection: Connection;
  readonly heart: Disposable;
  /** The number of pings. */
  readonly pings: number;
}

/** Starts a heartbeat in virtual time. */
export function beating(
  onPing: (connection: Connection) => void | Promise<void> = () => {},
): Beating {
  const time = virtualTime();
  const transport = new ScriptedTransport();
  const connection = connectionOver(transport);
  let pings = 0;
  const heart = heartbeat(connection, {
    interval: INTERVAL,
    timeout: TIMEOUT,
    ping() {
      pings += 1;
      return onPing(connection);
    },
  });
  return {
    time,
    transport,
    connection,
    heart,
    get pings(): number {
      return pings;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      heart[Symbol.dispose]();
      abort(connection);
      await turns();
      time[Symbol.dispose]();
    },
  };
}
