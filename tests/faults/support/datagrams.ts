/** What UDP sockets run on, with and without unstable features. */
export const UDP_BACKENDS = [
  { title: "Deno.listenDatagram", flags: ["--unstable-net"] },
  { title: "node:dgram", flags: [] },
] as const;

/** Whether each number is greater than the one before: in order, and none twice. */
export function ascending(numbers: readonly number[]): boolean {
  return numbers.every((number, at) => at === 0 || number > numbers[at - 1]);
}
