const TIME_WIDTH = 12;
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A record of everything that happened on a network, as lines of text. */
export class Trace {
  readonly #lines: string[] = [];
  readonly #on: boolean;
  readonly #now: () => number;

  constructor(on: boolean, now: () => number) {
    this.#on = on;
    this.#now = now;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  get text(): string {
    return this.#lines.length === 0 ? "" : `${this.#lines.join("\n")}\n`;
  }

  /** Adds a line about something between two places. */
  add(from: string, to: string, what: string): void {
    if (this.#on) this.note(`${from} > ${to} ${what}`);
  }

  /** Adds a line about bytes, with a hash of them: other bytes of the same length are another line. */
  addBytes(from: string, to: string, what: string, bytes: Uint8Array): void {
    if (this.#on) this.add(from, to, `${what} ${bytes.length} bytes ${hash(bytes)}`);
  }

  note(text: string): void {
    if (this.#on) this.#lines.push(`${this.#now().toFixed(3).padStart(TIME_WIDTH)} ${text}`);
  }
}

/** Hashes bytes (FNV-1a of 32 bits), to tell them apart and not to protect anything. */
function hash(bytes: Uint8Array): string {
  let sum = FNV_OFFSET;
  for (let at = 0; at < bytes.length; at++) sum = Math.imul(sum ^ bytes[at], FNV_PRIME);
  return (sum >>> 0).toString(16).padStart(8, "0");
}
