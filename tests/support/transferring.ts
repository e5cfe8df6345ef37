/** Transfers a buffer, as to a worker. Its views have no bytes afterwards. */
export function transfer(bytes: Uint8Array): void {
  structuredClone(null, { transfer: [bytes.buffer as ArrayBuffer] });
}

/** Makes bytes whose buffer was transferred. */
export function transferred(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  transfer(bytes);
  return bytes;
}
