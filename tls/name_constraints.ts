import { equals } from "@std/bytes/equals";
import { type DerElement, DerReader, Tag } from "./der.ts";

/** The tags of the kinds of a GeneralName that are understood here (RFC 5280, 4.2.1.6). */
export const GeneralNameTag = {
  dnsName: 0x82,
  directoryName: 0xa4,
  ipAddress: 0x87,
} as const;

/** The tags of the two lists of subtrees (RFC 5280, 4.2.1.10). */
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
const DNS_TEXT = /^[a-z0-9_.*-]{0,253}$/i;

/** The names for which an authority may sign, and those for which it may not. */
export interface NameConstraints {
  readonly permitted: readonly DerElement[];
  readonly excluded: readonly DerElement[];
}

/** The parts of a certificate that constraints on names are about. */
export interface NamedCertificate {
  readonly issuer: Uint8Array;
  /** The name of the subject in DER. */
  readonly subject: Uint8Array;
  readonly names: readonly DerElement[];
}

/** Reads constraints on names. Throws if they are malformed. */
export function readNameConstraints(value: DerReader): NameConstraints {
  const lists = value.enter(Tag.sequence);
  const permitted = readSubtrees(lists.optional(PERMITTED));
  const excluded = readSubtrees(lists.optional(EXCLUDED));
  if (!lists.done) throw new Error("the constraints on names have more parts");
  return { permitted, excluded };
}

function readSubtrees(list: DerElement | undefined): DerElement[] {
  const subtrees: DerElement[] = [];
  if (list === undefined) return subtrees;
  const reader = new DerReader(list.content);
  while (!reader.done) {
    const subtree = reader.enter(Tag.sequence);
    subtrees.push(subtree.next());
    // RFC 5280, 4.2.1.10: the minimum is 0, which DER leaves out, and there is no maximum.
    if (!subtree.done) throw new Error("a constraint on names has limits");
  }
  return subtrees;
}

/**
 * Tells if a path of certificates, the peer's first, has a name that an authority above it may not sign for. A name that
 * cannot be read is one.
 */
export function breaksConstraints(
  path: readonly NamedCertificate[],
  constraints: NameConstraints,
): boolean {
  try {
    return path.some(({ issuer, subject, names }, index) => {
      // RFC 5280, 6.1.3 (b): authorities that go on under a new key are left out.
      if (index > 0 && equals(issuer, subject)) return false;
      return allNames(subject, names).some((name) => isForbidden(name, constraints));
    });
  } catch {
    return true;
  }
}

/** Adds the name of the subject to the alternative names, unless it is empty. */
function allNames(subject: Uint8Array, names: readonly DerElement[]): readonly DerElement[] {
  const isEmpty = new DerReader(subject).next(Tag.sequence).content.length === 0;
  if (isEmpty) return names;
  return [...names, { tag: GeneralNameTag.directoryName, content: subject, whole: subject }];
}

/** Tells if a name is excluded, or is of a kind that has permitted names and none of them. */
function isForbidden(name: DerElement, { permitted, excluded }: NameConstraints): boolean {
  const isSameKind = ({ tag }: DerElement) => tag === name.tag;
  const allowed = permitted.filter(isSameKind);
  const isAllowed = allowed.length === 0 || allowed.some((base) => isInside(name, base) === true);
  return !isAllowed || excluded.filter(isSameKind).some((base) => mayMeet(name, base));
}

/** Tells if a name is in a subtree of its kind; undefined if that is not understood. */
function isInside({ tag, content }: DerElement, base: DerElement): boolean | undefined {
  switch (tag) {
    case GeneralNameTag.dnsName:
      return isDnsInside(content, base.content);
    case GeneralNameTag.ipAddress:
      return isAddressInside(content, base.content);
    case GeneralNameTag.directoryName:
      return isDirectoryInside(content, base.content);
    default:
      return undefined;
  }
}

/** Tells if a name could be in an excluded subtree. Spellings of a directory name are not compared, so each could. */
function mayMeet(name: DerElement, base: DerElement): boolean {
  if (name.tag === GeneralNameTag.directoryName) return true;
  if (isInside(name, base) !== false) return true;
  if (name.tag !== GeneralNameTag.dnsName) return false;
  // A wildcard is for names that are below it, too.
  const [text, below] = [textOf(name.content), textOf(base.content)];
  return text?.startsWith("*.") === true && `.${below}`.endsWith(text.slice(1));
}

function textOf(content: Uint8Array): string | undefined {
  const text = String.fromCharCode(...content);
  return DNS_TEXT.test(text) ? text.toLowerCase() : undefined;
}

function isDnsInside(content: Uint8Array, base: Uint8Array): boolean | undefined {
  const [name, domain] = [textOf(content), textOf(base)];
  if (name === undefined || domain === undefined) return undefined;
  // Some authorities write a point first, and mean the names below.
  if (domain === "" || domain.startsWith(".")) return name.endsWith(domain);
  return name === domain || name.endsWith(`.${domain}`);
}

/** The subtree is an address and a mask of the same length. */
function isAddressInside(address: Uint8Array, base: Uint8Array): boolean | undefined {
  const { length } = address;
  const isAddress = length === 4 || length === 16;
  if (!isAddress || base.length !== 8 && base.length !== 32) return undefined;
  if (base.length !== 2 * length) return false;
  return address.every((byte, index) => ((byte ^ base[index]) & base[length + index]) === 0);
}

/** A directory name is in a subtree if it begins with all of its parts. */
function isDirectoryInside(name: Uint8Array, base: Uint8Array): boolean {
  const parts = new DerReader(name).enter(Tag.sequence);
  const wanted = new DerReader(base).enter(Tag.sequence);
  while (!wanted.done) {
    if (parts.done || !equals(parts.next().whole, wanted.next().whole)) return false;
  }
  return true;
}
