export { concat } from "./concat.ts";
export { equals } from "./equals.ts";
