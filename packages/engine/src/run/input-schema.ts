import { type Action, z } from "@autokestra/plugin-sdk";
import type { YamlPath } from "../workflow/yaml-document.ts";

/** The inputs of an action as JSON Schema, as far as we look at it. */
export interface InputSchema {
  readonly properties?: Readonly<Record<string, InputSchema>>;
  readonly additionalProperties?: InputSchema | boolean;
  readonly items?: InputSchema | boolean;
  readonly anyOf?: readonly InputSchema[];
  /** From `.meta({ secret: true })`. */
  readonly secret?: unknown;
}

/** The inputs that an action takes; null where its schema cannot be described. */
export function inputSchemaOf({ input }: Action): InputSchema | null {
  try {
    return z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as InputSchema;
  } catch {
    return null;
  }
}

/** The keys that may stand in the object at a path. */
export function keysAt(schema: InputSchema | null, path: YamlPath): readonly string[] {
  return schemasAt(schema, path).flatMap(({ properties = {} }) => Object.keys(properties));
}

/** Whether the action says that the value at a path is secret: the value itself, or something around it. */
export function isMarkedSecret(schema: InputSchema | null, path: YamlPath): boolean {
  return [...path.keys(), path.length].some((length) =>
    schemasAt(schema, path.slice(0, length)).some(({ secret }) => secret === true),
  );
}

function schemasAt(schema: InputSchema | null, [key, ...rest]: YamlPath): InputSchema[] {
  if (schema === null) return [];
  const branches = [schema, ...(schema.anyOf ?? [])];
  if (key === undefined) return branches;
  return branches.flatMap(({ properties = {}, additionalProperties, items }) => {
    const next = Object.hasOwn(properties, key)
      ? properties[key]
      : typeof key === "number"
        ? items
        : additionalProperties;
    return typeof next === "object" ? schemasAt(next, rest) : [];
  });
}
