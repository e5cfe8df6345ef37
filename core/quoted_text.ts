/**
 * Characters that JSON leaves as they are, and that a log or a terminal takes for a line break (U+0085, U+2028), the
 * beginning of a command (U+009B, as ESC [ is) or another direction of the text (U+202E).
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const LONGEST_QUOTE = 80;

/** Writes a caller's text for a message: on one line, with every character visible, and cut off if it is long. */
export function quote(text: string): string {
  const short = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE - 3)}...` : text;
  return JSON.stringify(short)
    .replace(UNSEEN, (character) => character.split("").map(escaped).join(""));
}

function escaped(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
