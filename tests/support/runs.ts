/** Node and Bun get one of this number of random inputs: the code is the same, and mistakes of an engine show early. */
const SHARE = 20;

/** Returns the number of random inputs for a test that has `count` of them on Deno. */
export function randomRuns(count: number): number {
  return "listen" in Deno ? count : Math.ceil(count / SHARE);
}
