// What lazy-zod.cjs needs once it builds a schema.

/**
 * Zod knows a schema by its identity, so that what it builds on must be real.
 *
 * @param {unknown} argument
 * @param {WeakMap<object, () => object>} builders
 * @returns {unknown}
 */
export function unwrap(argument, builders) {
  if (typeof argument !== "object" || argument === null) return argument;
  const real = builders.get(argument);
  if (real !== undefined) return real();
  if (Array.isArray(argument)) return argument.map((item) => unwrap(item, builders));
  if (Object.getPrototypeOf(argument) !== Object.prototype) return argument;
  const properties = Object.entries(Object.getOwnPropertyDescriptors(argument));
  // What a getter returns is asked for later.
  const unwrapped = properties.map(([key, property]) => [
    key,
    "value" in property ? { ...property, value: unwrap(property.value, builders) } : property,
  ]);
  return Object.defineProperties({}, Object.fromEntries(unwrapped));
}

/**
 * Whoever compares schemas has the stand-ins.
 *
 * @param {{ override?: (of: { zodSchema: object }) => void }} options
 * @param {WeakMap<object, object>} standIns
 */
export function withStandIns(options, standIns) {
  const { override } = options;
  if (override === undefined) return options;
  /** @param {{ zodSchema: object }} of */
  const withStandIn = (of) => override({ ...of, zodSchema: standIns.get(of.zodSchema) ?? of.zodSchema });
  return { ...options, override: withStandIn };
}
