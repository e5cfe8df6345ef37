import { type Bytes, invalidHeader } from "./tlv.ts";

/** The polynomial 0x1EDC6F41 of Castagnoli, bits reversed (RFC 3720, section 12.1). */
const POLYNOMIAL = 0x82f63b78;
const CHECKSUM_BYTES = 4;
const ZEROS = new Uint8Array(CHECKSUM_BYTES);

/** Made at the first checksum: most programs never see one. */
let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 1 ? remainder >>> 1 ^ POLYNOMIAL : remainder >>> 1;
    }
    return remainder;
  });
}

/** Computes the CRC32C of these pieces, one after the other, as an unsigned number. */
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

/** Computes the checksum of a whole header, with zeros in place of the checksum at `at` (section 2.2.3). */
function headerChecksum(header: Uint8Array, at: number): number {
  return crc32c(header.subarray(0, at), ZEROS, header.subarray(at + CHECKSUM_BYTES));
}

/** Refuses a header whose checksum, the value of the field at `at`, is wrong. */
export function checkChecksum(header: Uint8Array, at: number, value: Uint8Array): void {
  if (value.length !== CHECKSUM_BYTES) {
    throw invalidHeader(`the CRC32C in the PROXY header has ${value.length} bytes instead of 4`);
  }
  const claimed = new DataView(value.buffer, value.byteOffset).getUint32(0);
  if (claimed !== headerChecksum(header, at)) {
    throw invalidHeader("the CRC32C in the PROXY header does not match its bytes");
  }
}

/** Writes the checksum into a header that has room for it at `at`. */
export function writeChecksum(header: Bytes, at: number): void {
  new DataView(header.buffer).setUint32(at, headerChecksum(header, at));
}
