/** Gives a buffer away, as one does to a worker: what looks at it has no bytes any more. */
export function transfer(bytes: Uint8Array): void {
  structuredClone(null, { transfer: [bytes.buffer as ArrayBuffer] });
}

/** Bytes whose buffer was given away. */
export function transferred(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  transfer(bytes);
  return bytes;
}
