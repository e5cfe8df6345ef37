// @ts-types="./assertion_error.d.ts"
export { AssertionError } from "npm:deno-std@1.4.0/assert/assertion_error.js";
