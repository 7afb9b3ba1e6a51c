import type { Plugin } from "@autokestra/plugin-sdk";
import { corePlugins } from "@autokestra/plugins-core";
import { z } from "zod";
import { isTaskSchema, workflowSchema } from "../workflow/workflow-schema.ts";
import { jsonSchemaOf } from "./check-actions.ts";
import { createActionTable } from "./prepare-run.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** A text with a reference in it can have any type. */
const REFERENCE: JsonSchema = { type: "string", pattern: "\\{\\{" };

/**
 * Returns the JSON Schema of workflow files, for editors: the keys of a workflow, and the inputs of each action.
 *
 * @param plugins whose actions are known: those of {@link describePlugins} after the core ones. Tasks with actions of others may have any
 * inputs. Default: the core plugins
 * @example
 * ```ts
 * import { workflowJsonSchema } from "@autokestra/engine";
 *
 * const text = JSON.stringify(workflowJsonSchema());
 * console.log(text.includes("core/http.get")); // true
 * ```
 */
export function workflowJsonSchema(plugins: readonly Plugin[] = corePlugins): object {
  const actions = [...createActionTable(plugins)];
  return z.toJSONSchema(workflowSchema, {
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      if (!isTaskSchema(zodSchema)) return;
      const type = jsonSchema.properties?.["type"];
      if (typeof type === "object") type.examples = actions.map(([name]) => name);
      jsonSchema.allOf = actions.map(([name, action]) => {
        const { description = "" } = action;
        const { $schema: _, ...inputs } = withoutPointers(jsonSchemaOf(action) ?? {});
        return {
          if: { properties: { type: { const: name } }, required: ["type"] },
          [THEN]: { properties: { inputs: { ...withReferences(inputs), ...(description !== "" && { description }) } } },
        };
      });
    },
  });
}

// A keyword of JSON Schema, not a promise.
// oxlint-disable-next-line unicorn/no-thenable
const THEN = "then";

/** Allows anything where a schema points to another place in itself, such as a recursive one: here that place is elsewhere. */
function withoutPointers(schema: JsonSchema): JsonSchema {
  const text = JSON.stringify(schema, (key, value: JsonSchema) => {
    if (key === "$defs") return undefined;
    return typeof value?.$ref === "string" ? {} : value;
  });
  return JSON.parse(text);
}

/** Allows a reference at every place below the inputs themselves. */
function withReferences(schema: JsonSchema): JsonSchema {
  const { properties, items, additionalProperties } = schema;
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, orReference(value)])),
    }),
    ...(typeof items === "object" && !Array.isArray(items) && { items: orReference(items) }),
    ...(typeof additionalProperties === "object" && { additionalProperties: orReference(additionalProperties) }),
    ...(schema.anyOf && { anyOf: schema.anyOf.map((one) => (typeof one === "object" ? withReferences(one) : one)) }),
  };
}

function orReference(schema: JsonSchema | boolean): JsonSchema | boolean {
  if (typeof schema === "boolean" || Object.keys(schema).length === 0) return schema;
  return { anyOf: [withReferences(schema), REFERENCE] };
}
