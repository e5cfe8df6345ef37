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
