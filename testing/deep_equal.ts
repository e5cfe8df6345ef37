import { equals } from "@std/bytes/equals";
import { isBytes } from "../bytes/byte_arguments.ts";

/**
 * Returns true if two values have the same structure: primitives by `Object.is`, bytes and buffers byte for
 * byte, arrays, maps and sets (in order), errors, and other objects of one prototype by their own enumerable
 * properties.
 *
 * An object of a class may have private state, like a `URL`. Such objects must also agree in their `toJSON`,
 * else in a `toString` or `valueOf` that is not that of `Object`. An object with none of these and no property
 * with a name (a `Promise`, a `WeakMap`) equals only itself, and so does a function.
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
    return isBytes(one) && isBytes(other) && equals(one, other);
  }
  if (Object.getPrototypeOf(one) !== Object.getPrototypeOf(other)) return false;
  // A pair that is compared already, since a structure contains itself: its other parts decide.
  compared ??= new Map();
  if (compared.get(one) === other) return true;
  compared.set(one, other);
  const same = (one: unknown, other: unknown) => deepEqual(one, other, compared);
  const state = stateOf(one);
  if (state !== undefined && !sameItems(state, stateOf(other) ?? [], same)) return false;
  const [keys, others] = [keysOf(one), keysOf(other)];
  return keys.length === others.length &&
    keys.every((key) => isEnumerable(other, key) && same(valueOf(one, key), valueOf(other, key))) &&
    (state !== undefined || isPlain(one) ||
      (sameDescription(one, other, same) ?? keys.some((key) => typeof key === "string")));
}

/** Returns the state of an object of a built-in class beside its properties, or `undefined` for another class. */
function stateOf(value: object): readonly unknown[] | undefined {
  if (Array.isArray(value)) return [value.length];
  if (value instanceof Map || value instanceof Set) return [...value];
  if (value instanceof DataView) {
    return [new Uint8Array(value.buffer, value.byteOffset, value.byteLength)];
  }
  // The elements of the other typed arrays are properties.
  if (ArrayBuffer.isView(value)) return [value.byteLength];
  if (isBuffer(value)) return [new Uint8Array(value)];
  if (value instanceof Error) {
    return [
      value.name,
      value.message,
      "cause" in value,
      value.cause,
      (value as AggregateError).errors,
    ];
  }
  return undefined;
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Methods that describe an object, in order of preference. */
const DESCRIPTIONS = ["toJSON", "toString", "valueOf"] as const;

/** Returns true if two objects describe themselves alike, or `undefined` if they have no description. */
function sameDescription(
  one: object,
  other: object,
  same: (one: unknown, other: unknown) => boolean,
): boolean | undefined {
  for (const name of DESCRIPTIONS) {
    const [describe, describeOther] = [one, other].map((value) => valueOf(value, name));
    if (typeof describe !== "function" || describe === valueOf(Object.prototype, name)) continue;
    return describe === describeOther && same(describe.call(one), describe.call(other));
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
