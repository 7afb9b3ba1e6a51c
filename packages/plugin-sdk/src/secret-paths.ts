import { z } from "zod";

/** The parts of a JSON Schema that lead to marked values. */
interface MarkedSchema {
  readonly secret?: unknown;
  readonly properties?: Readonly<Record<string, MarkedSchema>>;
  readonly additionalProperties?: MarkedSchema | boolean;
  readonly items?: MarkedSchema | boolean;
  readonly prefixItems?: readonly MarkedSchema[];
  readonly anyOf?: readonly MarkedSchema[];
  readonly oneOf?: readonly MarkedSchema[];
  readonly allOf?: readonly MarkedSchema[];
}

/** The paths that a schema marks with `.meta({ secret: true })`; `*` stands for every item and key, and for the value itself. */
export function secretPaths(schema: z.ZodType): readonly string[] {
  let described: MarkedSchema;
  try {
    described = z.toJSONSchema(schema, { io: "output", unrepresentable: "any", reused: "inline" }) as MarkedSchema;
  } catch {
    return [];
  }
  return pathsIn(described, []).map((path) => (path.length === 0 ? "*" : path.join(".")));
}

function pathsIn(schema: MarkedSchema | boolean | undefined, path: readonly string[]): (readonly string[])[] {
  if (typeof schema !== "object") return [];
  if (schema.secret === true) return [path];
  const { properties = {}, additionalProperties, items, prefixItems = [], anyOf = [], oneOf = [], allOf = [] } = schema;
  return [
    ...Object.entries(properties).flatMap(([key, inner]) => pathsIn(inner, [...path, key])),
    ...prefixItems.flatMap((inner, index) => pathsIn(inner, [...path, String(index)])),
    ...[additionalProperties, items].flatMap((inner) => pathsIn(inner, [...path, "*"])),
    ...[...anyOf, ...oneOf, ...allOf].flatMap((inner) => pathsIn(inner, path)),
  ];
}
