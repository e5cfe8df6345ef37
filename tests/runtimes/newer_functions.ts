/** Adds the functions that the tests use and Node 22 does not have. The package itself uses none of them. */
import { Buffer } from "node:buffer";

function define(owner: object, name: string, value: unknown): void {
  if (name in owner) return;
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
}

for (const encoding of ["hex", "base64"] as const) {
  const name = encoding === "hex" ? "Hex" : "Base64";
  define(
    Uint8Array,
    `from${name}`,
    (text: string): Uint8Array => new Uint8Array(Buffer.from(text, encoding)),
  );
  define(Uint8Array.prototype, `to${name}`, function (this: Uint8Array): string {
    return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString(encoding);
  });
}
