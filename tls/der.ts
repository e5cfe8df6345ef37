/** The tag bytes of the elements that a certificate has. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  /** `[0]` around the version of a certificate. */
  version: 0xa0,
  /** `[3]` around the extensions of a certificate. */
  extensions: 0xa3,
} as const;

/** One element of DER. */
export interface DerElement {
  readonly tag: number;
  /** The content, without tag and length. */
  readonly content: Uint8Array;
  /** The whole element. */
  readonly whole: Uint8Array;
}

/**
 * Reads the elements of DER (ITU-T X.690) one after the other. It throws at anything that is not in order, so that
 * nothing is taken for what it is not.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#position === this.#bytes.length;
  }

  /** Returns true if the next element has this tag. */
  isNext(tag: number): boolean {
    return this.#bytes[this.#position] === tag;
  }

  /** Reads the next element, which must have this tag if one is given. */
  next(tag?: number): DerElement {
    const start = this.#position;
    const found = this.#bytes[start];
    // No element of a certificate has a tag of several bytes.
    if (found === undefined || (found & 0x1f) === 0x1f) throw malformed("a tag");
    if (tag !== undefined && found !== tag) throw malformed(`tag ${tag}, found ${found}`);
    const [length, begin] = this.#length(start + 1);
    const end = begin + length;
    if (end > this.#bytes.length) throw malformed("more bytes");
    this.#position = end;
    const content = this.#bytes.subarray(begin, end);
    return { tag: found, content, whole: this.#bytes.subarray(start, end) };
  }

  /** Reads an element and gives a reader for what it contains. */
  enter(tag: number): DerReader {
    return new DerReader(this.next(tag).content);
  }

  /** Reads an element if it comes next. */
  optional(tag: number): DerElement | undefined {
    return this.isNext(tag) ? this.next(tag) : undefined;
  }

  #length(at: number): [length: number, begin: number] {
    const first = this.#bytes[at];
    if (first === undefined) throw malformed("a length");
    if (first < 0x80) return [first, at + 1];
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw malformed("a length of at most 3 bytes");
    let length = 0;
    for (let i = 1; i <= count; i++) {
      const byte = this.#bytes[at + i];
      if (byte === undefined) throw malformed("a length");
      length = length * 256 + byte;
    }
    // A length has one form in DER, the shortest.
    if (length < 0x80 || length < 256 ** (count - 1)) throw malformed("the shortest length");
    return [length, at + 1 + count];
  }
}

/** Writes an object identifier as text, such as `2.5.29.19`. */
export function readObjectIdentifier(content: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if (number > Number.MAX_SAFE_INTEGER / 128) throw malformed("a smaller identifier");
    if ((byte & 0x80) !== 0) continue;
    if (numbers.length === 0) {
      const first = Math.min(2, Math.floor(number / 40));
      numbers.push(first, number - first * 40);
    } else numbers.push(number);
    number = 0;
  }
  if (numbers.length === 0 || (content[content.length - 1] & 0x80) !== 0) {
    throw malformed("an identifier");
  }
  return numbers.join(".");
}

/** Reads a time of a certificate in milliseconds since 1970. RFC 5280, 4.1.2.5, allows these two forms only. */
export function readTime({ tag, content }: DerElement): number {
  const text = String.fromCharCode(...content);
  const short = tag === Tag.utcTime;
  const match = (short ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : LONG_TIME).exec(text);
  if (match === null || !short && tag !== Tag.generalizedTime) throw malformed("a time");
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number);
  const full = short ? year + (year < 50 ? 2000 : 1900) : year;
  return Date.UTC(full, month - 1, day, hour, minute, second);
}

const LONG_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/;

/** Reads a small number that is not negative. */
export function readSmallInteger({ content }: DerElement): number {
  if (content.length === 0 || content.length > 4 || content[0] >= 0x80) {
    throw malformed("a small number");
  }
  if (content.length > 1 && content[0] === 0 && content[1] < 0x80) {
    throw malformed("the shortest number");
  }
  return content.reduce((number, byte) => number * 256 + byte, 0);
}

function malformed(expected: string): Error {
  return new Error(`the DER is malformed: expected ${expected}`);
}
