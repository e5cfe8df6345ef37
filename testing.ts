/**
 * Checks for the tests of programs that extend this package: {@linkcode checkCodec} tests a codec.
 *
 * @module
 */

export { checkCodec } from "./testing/check_codec.ts";
