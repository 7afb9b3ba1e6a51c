import type { YamlPath } from "@autokestra/config/yaml";
import { didYouMean } from "@autokestra/config/yaml";
import { type Action, describeIssues, z } from "@autokestra/plugin-sdk";
import { AutokestraError, parseTemplate, type Template } from "@autokestra/secrets-core";
import { HostedAction } from "../plugin-host/hosted-action.ts";
import type { IsSecretInput } from "../workflow/credentials.ts";
import { NO_TYPE, type ParsedWorkflow } from "../workflow/parse-workflow.ts";
import type { WorkflowProblem } from "../workflow/problem.ts";
import { allTasks } from "../workflow/workflow.ts";

/** Finds tasks whose action no plugin has. */
export function findUnknownActions(parsed: ParsedWorkflow, table: ReadonlyMap<string, Action>): WorkflowProblem[] {
  return allTasks(parsed.workflow).flatMap(({ task: { type }, list, index }) => {
    if (table.has(type) || type === NO_TYPE) return [];
    const hint = didYouMean(type, [...table.keys()]);
    const error = new AutokestraError("WORKFLOW_INVALID", `There is no action '${type}'`, { hint });
    return [parsed.problemAt([list, index, "type"], error)];
  });
}

/** Finds inputs that an action refuses, whatever values the references in them have. */
export async function checkActionInputs(
  parsed: ParsedWorkflow,
  table: ReadonlyMap<string, Action>,
): Promise<WorkflowProblem[]> {
  const found = allTasks(parsed.workflow).map(async ({ task: { id, type, inputs }, list, index }) => {
    const action = table.get(type);
    if (action === undefined) return [];
    const replaced: Replaced[] = [];
    const sample = withoutReferences(inputs, [], parsed, replaced);
    const issues = await issuesOf(action, sample);
    const schema = issues.length === 0 ? null : inputSchemaOf(action);
    return issues
      .filter((issue) => isCertain(issue, replaced))
      .flatMap((issue) => toErrors(issue, id, schema))
      .filter(isNotMistyped)
      .map(({ error, path }) => ({ error, path: [list, index, "inputs", ...path] }));
  });
  // Finding a place takes longer than finding a problem, and nobody fixes more than these at a time.
  const shown = (await Promise.all(found)).flat().slice(0, MAX_ERRORS);
  return shown.map(({ error, path }) => parsed.problemAt(path, error));
}

const MAX_ERRORS = 100;

/** A text with references that something else stands for during a check. */
interface Replaced {
  readonly path: YamlPath;
  /** What stands for it, if that has the type that the value will have; otherwise undefined. */
  readonly sample: string | number | boolean | undefined;
}

/** @param replaced receives the texts with references */
function withoutReferences(value: unknown, path: YamlPath, parsed: ParsedWorkflow, replaced: Replaced[]): unknown {
  if (typeof value === "string") {
    const template = parseTemplate(value);
    const { parts } = template;
    if (!parts.some(({ kind }) => kind === "reference")) return value;
    const text = parts.map((part) => (part.kind === "text" ? part.text : "reference")).join("");
    const sample = sampleOf(template, text, parsed);
    replaced.push({ path, sample });
    return sample ?? text;
  }
  if (value === null || typeof value !== "object") return value;
  const inside = (key: string | number, item: unknown) => withoutReferences(item, [...path, key], parsed, replaced);
  if (Array.isArray(value)) return value.map((item, index) => inside(index, item));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inside(key, item)]));
}

/**
 * A value of the type that a text with references will have; undefined where only a run knows the type.
 *
 * @param text the same with words instead of references
 */
function sampleOf(
  { parts }: Template,
  text: string,
  { workflow }: ParsedWorkflow,
): string | number | boolean | undefined {
  const [part, ...others] = parts;
  if (part?.kind !== "reference" || others.length > 0 || part.filters.length > 0) return text;
  if (part.fallback !== null) return undefined;
  const { reference } = part;
  if (reference.root === "execution" || reference.root === "workflow") return text;
  if (reference.root === "tasks" && reference.part === "status") return text;
  if (reference.root === "index") return 1;
  if (reference.root !== "inputs" || reference.path.length > 0) return undefined;
  return { string: text, number: 1, boolean: true, json: undefined }[workflow.inputs[reference.name]?.type ?? "json"];
}

/** Empty if the check throws: that says more about the action than about the inputs. */
async function issuesOf(action: Action, value: unknown): Promise<readonly z.core.$ZodIssue[]> {
  if (action instanceof HostedAction) return await action.check(value);
  try {
    const result = await action.input.safeParseAsync(value, { reportInput: true });
    return result.error?.issues ?? [];
  } catch {
    return [];
  }
}

/** True for an issue that does not depend on the value of a reference. */
function isCertain(issue: z.core.$ZodIssue, replaced: readonly Replaced[]): boolean {
  const { code, path } = issue;
  return replaced.every(({ path: place, sample }) => {
    const isInside = place.every((key, index) => path[index] === key);
    const isAround = path.every((key, index) => place[index] === key);
    if (isInside && isAround) return sample !== undefined && isAboutType(issue, sample);
    return !isInside && !(isAround && (code === "custom" || code === "invalid_union"));
  });
}

/** True if no value of the type of the sample would do. */
function isAboutType(issue: z.core.$ZodIssue, sample: string | number | boolean): boolean {
  if (issue.code === "invalid_value") return issue.values.every((value) => typeof value !== typeof sample);
  return issue.code === "invalid_type";
}

interface Found {
  readonly error: AutokestraError;
  readonly path: YamlPath;
  /** Whether the value at this path is missing. */
  readonly isMissing?: boolean;
}

/** False for a missing key if another key is probably a mistyped form of it. */
function isNotMistyped({ path, isMissing = false }: Found, _: number, found: readonly Found[]): boolean {
  return !isMissing || !found.some(({ error }) => error.hint === `Did you mean '${path.at(-1)}'?`);
}

function toErrors(issue: z.core.$ZodIssue, task: string, schema: InputSchema | null): Found[] {
  const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
  if (issue.code !== "unrecognized_keys") {
    const message = `Task '${task}' has an invalid input: ${describeIssues([issue])}`;
    const isMissing = issue.input === undefined;
    return [{ error: new AutokestraError("WORKFLOW_INVALID", message), path, isMissing }];
  }
  return issue.keys.map((key) => {
    const message = `Task '${task}' has an invalid input: ${describeIssues([{ ...issue, keys: [key] }])}`;
    const hint = didYouMean(key, keysAt(schema, path));
    return { error: new AutokestraError("WORKFLOW_INVALID", message, { hint }), path: [...path, key] };
  });
}

/** The parts of the JSON Schema of an action that are used here. */
interface InputSchema {
  readonly properties?: Readonly<Record<string, InputSchema>>;
  readonly additionalProperties?: InputSchema | boolean;
  readonly items?: InputSchema | boolean;
  readonly anyOf?: readonly InputSchema[];
  /** Set by `.meta({ secret: true })`. */
  readonly secret?: unknown;
}

function inputSchemaOf(action: Action): InputSchema | null {
  return jsonSchemaOf(action) as InputSchema | null;
}

/** The JSON Schema of the inputs of an action; null if it has none. */
export function jsonSchemaOf(action: Action): z.core.JSONSchema.BaseSchema | null {
  if (action instanceof HostedAction) return action.inputSchema;
  try {
    return z.toJSONSchema(action.input, { io: "input", unrepresentable: "any" });
  } catch {
    return null;
  }
}

/** The keys that the object at a path may have. */
function keysAt(schema: InputSchema | null, path: YamlPath): readonly string[] {
  return schemasAt(schema, path).flatMap(({ properties = {} }) => Object.keys(properties));
}

/** Returns a function that tells whether the action of a task marks an input, or something around it, as secret. */
export function secretInputs(table: ReadonlyMap<string, Action>): IsSecretInput {
  const schemas = new Map([...table].map(([type, action]) => [type, inputSchemaOf(action)]));
  return ({ type }, path) => isMarkedSecret(schemas.get(type) ?? null, path);
}

function isMarkedSecret(schema: InputSchema | null, path: YamlPath): boolean {
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
