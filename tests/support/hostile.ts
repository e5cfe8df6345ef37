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

/** Values that are no object of the right kind, whatever the kind; `undefined` is not among them. */
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
  ["a throwing proxy", throwingProxy()],
  ["a throwing function proxy", throwingProxy(() => {})],
  ["a revoked proxy", revokedProxy()],
];

/** The same where an object without the right properties is wrong as well. */
export const WRONG_OBJECTS: readonly (readonly [what: string, value: unknown])[] = [
  ["undefined", undefined],
  ...WRONG_TYPES,
  ["an empty object", {}],
  ["an object without a prototype", Object.create(null)],
  ["a date", new Date(0)],
  ["a promise", Promise.resolve()],
];

/** What is not a `Uint8Array`, however much it may look like one. */
export const WRONG_BYTES: readonly (readonly [string, unknown])[] = [
  ...WRONG_OBJECTS,
  ["an array buffer", new ArrayBuffer(4)],
  ["a data view", new DataView(new ArrayBuffer(4))],
  ["16-bit numbers", new Uint16Array(4)],
  ["clamped bytes", new Uint8ClampedArray(4)],
  ["something with a length", { length: 4 }],
  ["a proxy of bytes", new Proxy(new Uint8Array(4), {})],
  ["a child of bytes", Object.create(new Uint8Array(4))],
  ["a child of their prototype", Object.create(Uint8Array.prototype)],
  ["another array as bytes", Object.setPrototypeOf(new Uint16Array(4), Uint8Array.prototype)],
];
