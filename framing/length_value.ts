import type { ByteQueue } from "../bytes/byte_queue.ts";
import { describe, invalidInput } from "../core/arguments.ts";

/** The form of a length in a header: its size in bytes, and the order of these. */
export interface LengthForm {
  readonly size: number;
  readonly endian: "big" | "little";
}

/** Returns the byte order of a codec's options, or throws `InvalidInput`. */
export function checkEndian(operation: string, endian: unknown): "big" | "little" {
  if (endian === "big" || endian === "little") return endian;
  throw invalidInput(operation, `endian is ${describe(endian)}, not "big" or "little"`);
}

/** Reads the length at an offset of what waits. Above 2^53 it is not exact, but larger than any limit. */
export function lengthAt(input: ByteQueue, offset: number, { size, endian }: LengthForm): number {
  let length = 0;
  for (let index = 0; index < size; index++) {
    length = length * 256 + input.at(offset + (endian === "little" ? size - 1 - index : index));
  }
  return length;
}

/** Reads the length at an index of bytes, as {@linkcode lengthAt} does. */
export function lengthIn(bytes: Uint8Array, at: number, { size, endian }: LengthForm): number {
  // Shifts took a tenth of the time of a batch of 64 byte frames less than the loop.
  if (size === 4 && endian === "big") {
    return (bytes[at] << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3]) >>> 0;
  }
  let length = 0;
  for (let index = 0; index < size; index++) {
    length = length * 256 + bytes[at + (endian === "little" ? size - 1 - index : index)];
  }
  return length;
}

/** Writes a length at an index of bytes. */
export function writeLength(
  bytes: Uint8Array,
  at: number,
  length: number,
  { size, endian }: LengthForm,
): void {
  let rest = length;
  for (let index = 0; index < size; index++) {
    bytes[at + (endian === "little" ? index : size - 1 - index)] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}
