import { isBytes } from "./arguments.ts";

/**
 * Whether two values have the same structure: primitives as `Object.is` does, bytes byte for byte, arrays,
 * maps, sets (in order), dates, and other objects of one prototype by their own enumerable properties.
 */
export function deepEqual(
  one: unknown,
  other: unknown,
  compared?: Map<unknown, unknown>,
): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== "object" || typeof other !== "object" || one === null || other === null) {
    return false;
  }
  if (isBytes(one) || isBytes(other)) {
    return isBytes(one) && isBytes(other) && sameBytes(one, other);
  }
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  // A structure that contains itself is equal so far as its parts are.
  compared ??= new Map();
  if (compared.get(one) === other) return true;
  compared.set(one, other);
  const same = (one: unknown, other: unknown) => deepEqual(one, other, compared);
  if (one instanceof Date && !Object.is(one.getTime(), (other as Date).getTime())) return false;
  if (isCollection(one) && !sameItems([...one], [...other as Iterable<unknown>], same)) {
    return false;
  }
  const keys = Reflect.ownKeys(one).filter((key) => isEnumerable(one, key));
  return keys.length === Reflect.ownKeys(other).filter((key) => isEnumerable(other, key)).length &&
    keys.every((key) => isEnumerable(other, key) && same(valueOf(one, key), valueOf(other, key)));
}

/** Whether two runs of bytes are the same. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function isCollection(value: object): value is Iterable<unknown> {
  return value instanceof Map || value instanceof Set || ArrayBuffer.isView(value) &&
      Symbol.iterator in value;
}

function sameItems(
  ones: readonly unknown[],
  others: readonly unknown[],
  same: (one: unknown, other: unknown) => boolean,
): boolean {
  return ones.length === others.length && ones.every((one, index) => same(one, others[index]));
}

function isEnumerable(value: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, key);
}

function valueOf(value: object, key: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown>)[key];
}
