import type { ByteQueue } from "../bytes/byte_queue.ts";

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const FIRST_BEYOND_ASCII = 128;
/** Maximum number of bytes that become one text. V8 cuts lines out of it without a copy: one that is kept holds it. */
const LONGEST_TEXT_BYTES = 4096;

/** Largest number of UTF-8 bytes of a UTF-16 unit. */
const LARGEST_CHARACTER_BYTES = 3;
const LONGEST_LOOP_CHARACTERS = 64;

const ascii = new TextDecoder();
const encoder = new TextEncoder();

/** The lines that a run may have. */
export interface LineForm {
  /** Maximum number of bytes in a line, without its ending. */
  readonly maxLength: number;
  /** True if only CRLF ends a line, and neither byte may stand elsewhere. */
  readonly strict: boolean;
}

/**
 * Takes the whole lines at the front of the input that are ASCII and right, for {@linkcode Decoder.decodeAll}. Many lines
 * become one text that is split: a call of the text decoder takes 100 ns, which is most of what a short line costs.
 */
export function takeLines(
  input: ByteQueue,
  lines: string[],
  maxLines: number,
  form: LineForm,
): void {
  while (lines.length < maxLines) {
    const run = input.peekRun();
    const size = findLines(run, maxLines - lines.length, form);
    if (size === 0) return;
    const text = ascii.decode(run.subarray(0, size - 1));
    input.skip(size);
    for (const line of text.split("\n")) lines.push(line.endsWith("\r") ? line.slice(0, -1) : line);
  }
}

/** Returns the number of bytes of the lines at the front, with their endings. */
function findLines(run: Uint8Array, maxLines: number, { maxLength, strict }: LineForm): number {
  const end = Math.min(run.length, LONGEST_TEXT_BYTES);
  let begin = 0;
  let count = 0;
  let returned = false;
  for (let index = 0; index < end && count < maxLines; index++) {
    const byte = run[index];
    if (byte >= FIRST_BEYOND_ASCII) break;
    if (byte === LINE_FEED) {
      if (strict && !returned || index - begin - (returned ? 1 : 0) > maxLength) break;
      begin = index + 1;
      count++;
    } else if (strict && returned) break;
    returned = byte === CARRIAGE_RETURN;
  }
  return begin;
}

/**
 * Writes text as UTF-8 before `limit`. Returns the index behind it, or -1 if it may not fit. The text encoder takes 150 to
 * 270 ns for any length, and a loop over the characters 3 ns each.
 */
export function writeText(text: string, target: Uint8Array, offset: number, limit: number): number {
  const { length } = text;
  if (offset + LARGEST_CHARACTER_BYTES * length > limit) return -1;
  let index = 0;
  if (length <= LONGEST_LOOP_CHARACTERS) {
    for (; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code >= FIRST_BEYOND_ASCII) break;
      target[offset + index] = code;
    }
    if (index === length) return offset + length;
  }
  return offset + encoder.encodeInto(text, target.subarray(offset)).written;
}
