export { deadline } from "./deadline.ts";
export { delay } from "./delay.ts";
