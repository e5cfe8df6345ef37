/** The polynomial 0x1EDC6F41 of Castagnoli, bits reversed (RFC 3720, section 12.1). */
const POLYNOMIAL = 0x82f63b78;

let table: Uint32Array | undefined;

/** Made when it is first asked for: most programs never see a checksum. */
function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? remainder >>> 1 ^ POLYNOMIAL : remainder >>> 1;
    }
    return remainder;
  });
}

/** The CRC32C of these pieces, one after the other, as an unsigned number. */
export function crc32c(...pieces: readonly Uint8Array[]): number {
  table ??= makeTable();
  let remainder = 0xffffffff;
  for (const piece of pieces) {
    for (const byte of piece) {
      remainder = table[(remainder ^ byte) & 0xff] ^ remainder >>> 8;
    }
  }
  return ~remainder >>> 0;
}
