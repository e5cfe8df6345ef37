/** Throws at whatever is done with it. */
export function throwingProxy(target: object = {}): object {
  const trap = (): never => {
    throw new TypeError("trapped");
  };
  return new Proxy(target, new Proxy({}, { get: () => trap }));
}

/** Not even `Array.isArray` can be asked about it. */
export function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

/** Values that are no object of any kind that a function here takes; `undefined` is not among them. */
export const WRONG_TYPES: readonly (readonly [what: string, value: unknown])[] = [
  ["null", null],
  ["true", true],
  ["a number", 5],
  ["NaN", NaN],
  ["a bigint", 5n],
  ["a string", "127.0.0.1:80"],
  ["an empty string", ""],
  ["a symbol", Symbol("socket")],
  ["an array", [1, 2, 3]],
  ["a function", () => {}],
  ["a class", class {}],
];

/** The same, and `undefined` and objects without the right properties. */
export const WRONG_OBJECTS: readonly (readonly [what: string, value: unknown])[] = [
  ["undefined", undefined],
  ...WRONG_TYPES,
  ["an empty object", {}],
  ["an object without a prototype", Object.create(null)],
  ["a date", new Date(0)],
  ["a promise", Promise.resolve()],
];

/** Values that are no `Uint8Array`, though some look like one. */
export const WRONG_BYTES: readonly (readonly [string, unknown])[] = [
  ...WRONG_OBJECTS,
  ["an array buffer", new ArrayBuffer(4)],
  ["a data view", new DataView(new ArrayBuffer(4))],
  ["16-bit numbers", new Uint16Array(4)],
  ["clamped bytes", new Uint8ClampedArray(4)],
  ["something with a length", { length: 4 }],
];
