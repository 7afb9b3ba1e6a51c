// What lazy-zod.cjs needs once it builds a schema. `known` has what builds the schema that each stand-in stands for, and the stand-in of each
// schema that is built.
import { toJSONSchema } from "zod/v4";

/**
 * Zod knows a schema by its identity, so that what it builds on must be real.
 *
 * @param {unknown} argument
 * @param {WeakMap<object, object>} known
 * @returns {unknown}
 */
export function unwrap(argument, known) {
  if (typeof argument !== "object" || argument === null) return argument;
  const build = known.get(argument);
  if (typeof build === "function") return build();
  if (Array.isArray(argument)) return argument.map((item) => unwrap(item, known));
  if (Object.getPrototypeOf(argument) !== Object.prototype) return argument;
  const properties = Object.entries(Object.getOwnPropertyDescriptors(argument));
  // What a getter returns is asked for later.
  const unwrapped = properties.map(([key, property]) => [
    key,
    "value" in property ? { ...property, value: unwrap(property.value, known) } : property,
  ]);
  return Object.defineProperties({}, Object.fromEntries(unwrapped));
}

/**
 * `toJSONSchema` of zod. Code that compares schemas gets the stand-ins.
 *
 * @param {WeakMap<object, object>} known
 * @param {import("zod/v4").ZodType} schema
 * @param {Parameters<typeof toJSONSchema>[1]} options
 */
export function toJSONSchemaOf(known, schema, options = {}) {
  const { override } = options;
  /** @type {NonNullable<typeof override>} */
  const withStandIn = (of) => {
    const zodSchema = /** @type {typeof of.zodSchema} */ (known.get(of.zodSchema) ?? of.zodSchema);
    override?.({ ...of, zodSchema });
  };
  return toJSONSchema(/** @type {typeof schema} */ (unwrap(schema, known)), { ...options, override: withStandIn });
}
