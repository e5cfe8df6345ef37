/** Asks for one permission of each kind, so that a test can check the audit log. */
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
    // The permission is denied, and the audit log has to show it nevertheless.
  }
}
console.log(JSON.stringify({ done: true }));
