import { isBytes } from "../bytes/byte_arguments.ts";

/**
 * Whether two values have the same structure: primitives as `Object.is` does, bytes and buffers byte for
 * byte, arrays, maps and sets (in order), dates, errors, regular expressions, boxed primitives, and other
 * objects of one prototype by their own enumerable properties.
 *
 * An object of a class may have any state inside, as a `URL` or one with private fields. It is also compared
 * by what its class says it is: by `toJSON`, else by a `toString` or `valueOf` of its own. Where there is
 * neither that nor a property with a name (a `Promise`, a `WeakMap`), it equals itself alone, as functions do.
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
  const [inside, otherInside] = [insideOf(one), insideOf(other)];
  if (inside !== undefined || otherInside !== undefined) {
    if (inside === undefined || otherInside === undefined) return false;
    if (!sameItems(inside, otherInside, same)) return false;
  }
  const [keys, others] = [keysOf(one), keysOf(other)];
  return keys.length === others.length &&
    keys.every((key) => isEnumerable(other, key) && same(valueOf(one, key), valueOf(other, key))) &&
    (inside !== undefined || isPlain(one) ||
      (sameSaid(one, other, same) ?? keys.some((key) => typeof key === "string")));
}

/** Whether two runs of bytes are the same. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** What an object of a built-in class has beside its properties, or `undefined` for another class. */
function insideOf(value: object): readonly unknown[] | undefined {
  if (Array.isArray(value)) return [value.length];
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof DataView) {
    return [new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  }
  // Of the other typed arrays the elements are properties.
  if (ArrayBuffer.isView(value)) return [value.byteLength];
  if (isBuffer(value)) return [new Uint8Array(value)];
  if (value instanceof Date) return [value.getTime()];
  if (value instanceof RegExp) return [value.source, value.flags, value.lastIndex];
  if (value instanceof Error) {
    return [
      value.name,
      value.message,
      "cause" in value,
      value.cause,
      (value as AggregateError).errors,
    ];
  }
  return isBoxed(value) ? [value.valueOf()] : undefined;
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function isBoxed(value: object): boolean {
  return [Number, String, Boolean, BigInt, Symbol].some((box) => value instanceof box);
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** How a class lets its objects be told apart, in this order. */
const SAYING = ["toJSON", "toString", "valueOf"] as const;

/**
 * Whether two objects say the same of themselves, or `undefined` where they say nothing. A property with a
 * symbol is no such thing: the runtime marks all of a class with the same one.
 */
function sameSaid(
  one: object,
  other: object,
  same: (one: unknown, other: unknown) => boolean,
): boolean | undefined {
  for (const name of SAYING) {
    const [say, sayOther] = [one, other].map((value) => valueOf(value, name));
    if (typeof say !== "function" || say === valueOf(Object.prototype, name)) continue;
    return say === sayOther && same(say.call(one), say.call(other));
  }
  return undefined;
}

function sameItems(
  ones: readonly unknown[],
  others: readonly unknown[],
  same: (one: unknown, other: unknown) => boolean,
): boolean {
  return ones.length === others.length && ones.every((one, index) => same(one, others[index]));
}

function keysOf(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) => isEnumerable(value, key));
}

function isEnumerable(value: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, key);
}

function valueOf(value: object, key: PropertyKey): unknown {
  return (value as Record<PropertyKey, unknown>)[key];
}
