export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : new TextDecoder().decode(bytes);
}

/** Shows a value as a log does, on one line and with the quotes of Deno, whatever those of the runtime are. */
export function shown(value: unknown): string {
  return Deno.inspect(value, { breakLength: 200 }).replaceAll("'", '"');
}
