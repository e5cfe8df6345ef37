/** Asks for one of each kind of permission, so that a test sees how that is noticed. */
const tries: readonly (() => unknown)[] = [
  () => Deno.readTextFileSync("/etc/hostname"),
  () => Deno.writeTextFileSync("/nowhere/file", ""),
  () => Deno.env.get("HOME"),
  () => new Deno.Command("/bin/true").outputSync(),
  () => Deno.dlopen("nothing.so", {}),
  () => Deno.hostname(),
];
for (const attempt of tries) {
  try {
    attempt();
  } catch {
    // It is denied, which is no reason not to be noticed.
  }
}
console.log(JSON.stringify({ done: true }));
