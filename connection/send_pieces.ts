import { checkBytes, isBytes, plainBytes } from "../bytes/byte_arguments.ts";
import { GATHER_LIMIT_BYTES, LARGE_SEND_BYTES } from "./send_queue.ts";

/** Number of pieces of one frame up to which each is written by itself. */
const MOST_PIECES = 8;

/** Returns the pieces of a send as plain arrays, or throws `InvalidInput` and says which piece is wrong. */
export function checkPieces(operation: string, pieces: readonly unknown[]): Uint8Array[] {
  const checked: Uint8Array[] = [];
  // Unlike `map`, the loop sees the holes of an array.
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index];
    const bytes = isBytes(piece) && piece.length > 0
      ? plainBytes(piece)
      : checkBytes(operation, pieces.length === 1 ? "bytes" : `piece ${index}`, piece);
    checked.push(bytes);
  }
  return checked;
}

/** Returns the number of bytes in all pieces together. */
export function lengthOfPieces(pieces: readonly Uint8Array[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}

/**
 * Joins small pieces, since each piece is a system call of its own: 1,000 pieces of 64 bytes were 1,000 calls. A large
 * piece stays as it is, because a copy of it would cost more than its call. Empty pieces are left out.
 */
export function joinPieces(pieces: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let from = 0;
  let length = 0;
  for (let index = 0; index < pieces.length; index++) {
    const piece = pieces[index];
    const large = piece.length >= LARGE_SEND_BYTES;
    if (large || length + piece.length > GATHER_LIMIT_BYTES) {
      pushRun(joined, pieces, from, index, length);
      from = index;
      length = 0;
    }
    if (large) {
      joined.push(piece);
      from = index + 1;
    } else length += piece.length;
  }
  pushRun(joined, pieces, from, pieces.length, length);
  return joined;
}

/** Adds the pieces from `from` to `to` as one; a piece that is alone is not copied. */
function pushRun(
  joined: Uint8Array[],
  pieces: readonly Uint8Array[],
  from: number,
  to: number,
  length: number,
): void {
  if (length === 0) return;
  if (to - from === 1) {
    joined.push(pieces[from]);
    return;
  }
  const run = new Uint8Array(length);
  let end = 0;
  for (let index = from; index < to; index++) {
    run.set(pieces[index], end);
    end += pieces[index].length;
  }
  joined.push(run);
}

/**
 * Returns the function that joins the pieces of a frame, if there are many: each is a system call of its own, and looks
 * at all the others. A frame of 20,000 pieces took 2.7 s, and 40 ms if they are joined. Few pieces stay as the codec
 * made them, which did not want a copy.
 */
export function joinMany({ length }: readonly Uint8Array[]): typeof joinPieces | undefined {
  return length > MOST_PIECES ? joinPieces : undefined;
}
