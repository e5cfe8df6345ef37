/**
 * Checks for the tests of programs that extend this package: {@linkcode checkCodec} tests a codec.
 *
 * @module
 */

export { checkCodec } from "./testing/check_codec.ts";
export {
  checkConnection,
  type CheckConnectionOptions,
  type ConnectionCheck,
} from "./testing/check_connection.ts";
export type { ConnectionPair, ResettableConnection } from "./testing/connection_row.ts";
export type { LinkSettings } from "./testing/link_settings.ts";
export {
  type MemoryNetwork,
  memoryNetwork,
  type MemoryNetworkSettings,
} from "./testing/memory_network.ts";
export {
  simulate,
  type SimulatedClock,
  type SimulatedProgram,
  type SimulateOptions,
} from "./testing/simulate.ts";
export { SimulationError } from "./testing/simulation_error.ts";
