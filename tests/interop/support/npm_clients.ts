/** Clients from npm that take a stream of Node. Only the interop tests need them. */
// deno-lint-ignore no-import-prefix
export { MqttClient } from "npm:mqtt@5.16.0";
// deno-lint-ignore no-import-prefix
export { default as pg } from "npm:pg@8.23.1";
