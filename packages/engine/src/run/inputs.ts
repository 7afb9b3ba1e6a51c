import { didYouMean } from "@autokestra/config/yaml";
import { secretTexts } from "@autokestra/plugin-sdk/host";
import { AutokestraError, type ErrorDetails, parseSecretName } from "@autokestra/secrets-core";
import { keepsValue, parseJson } from "@autokestra/secrets-core/exact-json";
import { quoteText } from "@autokestra/secrets-core/internal";
import { createEnvironmentSource } from "@autokestra/secrets-resolver";
import { isLosslessNumber } from "lossless-json";
import { inputProblem } from "../workflow/input-rules.ts";
import type { ReferenceUse } from "../workflow/references.ts";
import { type InputDeclaration, inputsOf, type Workflow } from "../workflow/workflow.ts";
import type { MaskedValue } from "./secret-values.ts";

/** Where {@link collectInputs} finds secret inputs that are not given. */
export interface SecretInputSources {
  /** The environment, whose variables `NAME_FILE` contain paths of files. Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Asks a person for the value of an input, without showing what is typed. Default: such inputs stay missing. */
  readonly ask?: ((name: string) => Promise<string>) | undefined;
}

/**
 * Adds missing secret inputs to the given ones. Each is read from the file whose path is in the variable `NAME_FILE`
 * (with the name as written, or in capitals: `password_FILE`, `PASSWORD_FILE`) or, without one, asked for. Use it
 * before a run, so that secret inputs stay out of command lines.
 *
 * @param given the texts of inputs, by name
 * @throws AutokestraError `INPUT_INVALID` if such a file cannot be read
 * @example
 * ```ts
 * import { mkdtempSync, writeFileSync } from "node:fs";
 * import { parseWorkflow } from "@autokestra/engine";
import { collectInputs } from "@autokestra/engine/internal";
 *
 * const file = `${mkdtempSync("/tmp/demo-")}/password`;
 * writeFileSync(file, "c0rrect-horse");
 * const { workflow } = parseWorkflow(
 *   `{ apiVersion: v1, id: demo, inputs: { password: { type: string, secret: true } }, tasks: [
 *      { id: say, type: core/console.log, inputs: { message: "{{ inputs.password }}" } } ] }`,
 *   "demo.yaml",
 * );
 * const inputs = await collectInputs(workflow, {}, { env: { PASSWORD_FILE: file } });
 * console.log(Object.keys(inputs)); // [ 'password' ]
 * ```
 */
export async function collectInputs(
  workflow: Workflow,
  given: Readonly<Record<string, string>>,
  { env = process.env, ask }: SecretInputSources,
): Promise<Record<string, string>> {
  const collected = { ...given };
  for (const [name, { secret }] of Object.entries(workflow.inputs)) {
    if (secret !== true || Object.hasOwn(given, name)) continue;
    const text = (await readInputFile(name, env)) ?? (await ask?.(name));
    if (text !== undefined) collected[name] = text;
  }
  return collected;
}

async function readInputFile(name: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const base of new Set([name, variableName(name)])) {
    const variable = `${base}_FILE`;
    const path = Object.hasOwn(env, variable) ? env[variable] : undefined;
    if (!path) continue;
    const answer = await createEnvironmentSource({ [variable]: path }).lookup(parseSecretName(base));
    if (answer.status === "found") return String(answer.secret.fields["value"]);
    if (answer.status !== "notFound") throw invalid(`Input '${name}' cannot be read: ${answer.reason}`);
  }
  return undefined;
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}

/** Returns the values to mask for these inputs. */
export function secretInputValues(workflow: Workflow, inputs: Readonly<Record<string, unknown>>): MaskedValue[] {
  return Object.entries(workflow.inputs).flatMap(([name, { secret }]) => {
    const value = inputs[name];
    if (secret !== true) return [];
    const whole = typeof value === "object" && value !== null ? [JSON.stringify(value)] : [];
    return [...whole, ...secretTexts(value)].map((text) => ({ name: `inputs.${name}`, value: text }));
  });
}

/**
 * Converts the given inputs to their declared types and adds defaults.
 *
 * @param given the texts of inputs, by name
 * @throws AutokestraError `INPUT_INVALID`
 */
export function readInputs(workflow: Workflow, given: Readonly<Record<string, string>>): Record<string, unknown> {
  return readEach(workflow, given, (name, declaration, text) => {
    if (declaration.secret && text === "") throw invalid(`Input '${name}' is secret and cannot be empty`);
    return convert(name, declaration, text);
  });
}

/**
 * Checks the inputs of a called workflow against their declarations and adds defaults. Nothing is converted.
 *
 * @throws AutokestraError `INPUT_INVALID`
 */
export function readValues(workflow: Workflow, given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return readEach(workflow, given, (_name, _declaration, value) => value);
}

function readEach<Value>(
  workflow: Workflow,
  given: Readonly<Record<string, Value>>,
  read: (name: string, declaration: InputDeclaration, value: Value) => unknown,
): Record<string, unknown> {
  const inputs = inputsOf(workflow);
  const declared = Object.keys(inputs);
  const unknown = Object.keys(given).find((name) => !declared.includes(name));
  if (unknown !== undefined) {
    throw invalid(`The workflow has no input '${quoteText(unknown)}'`, didYouMean(unknown, declared));
  }
  return Object.fromEntries(
    Object.entries(inputs).map(([name, declaration]) => {
      const value = Object.hasOwn(given, name) ? given[name] : undefined;
      if (value !== undefined) return [name, fitting(name, declaration, read(name, declaration, value))];
      // Defaults are checked when the workflow is parsed.
      if ("default" in declaration) return [name, declaration.default];
      if (declaration.secret) {
        throw invalid(
          `Input '${name}' is missing`,
          `Name a file with its value in the variable ${variableName(name)}_FILE.`,
        );
      }
      throw invalid(`Input '${name}' is missing`, "Give it a value, or a default in the workflow.", { missing: name });
    }),
  );
}

function fitting(name: string, declaration: InputDeclaration, value: unknown): unknown {
  const problem = inputProblem(declaration, value);
  if (problem === null) return value;
  throw invalid(`Input '${name}' ${problem}`);
}

function convert(name: string, { type }: InputDeclaration, text: string): unknown {
  if (type === "string") return text;
  const result = parseJson(text);
  const value = "value" in result ? toNumbers(name, result.value) : undefined;
  if (type === "json" ? value !== undefined : typeof value === type) return value;
  if ("duplicateKey" in result)
    throw invalid(`Input '${name}' ${result.problem} ('${quoteText(result.duplicateKey)}')`);
  const hint =
    type === "number" ? "Digits that are not an amount, such as 01234, are an input of type string." : undefined;
  throw invalid(`Input '${name}' must be ${type === "json" ? "JSON" : `a ${type}`}`, hint);
}

/**
 * Refuses given numbers that would change when they become text: `1.10` would be 1.1.
 *
 * @param asText the inputs that become text
 * @throws AutokestraError `INPUT_INVALID`
 */
export function refuseRespelled(
  workflow: Workflow,
  given: Readonly<Record<string, string>>,
  asText: ReadonlyMap<string, Pick<ReferenceUse, "owner">>,
): void {
  for (const [name, { owner }] of asText) {
    const text = Object.hasOwn(given, name) ? given[name] : undefined;
    if (text === undefined || workflow.inputs[name]?.type === "string") continue;
    const result = parseJson(text);
    if ("value" in result && isRespelled(result.value)) {
      throw invalid(
        `Input '${name}' becomes text in task '${owner?.task.id}', where its number would read differently`,
        "Declare the input as a string, or put the number in quotes.",
      );
    }
  }
}

function isRespelled(value: unknown): boolean {
  if (isLosslessNumber(value)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(isRespelled);
}

/** Converts numbers, and refuses those that would lose digits. */
function toNumbers(name: string, value: unknown): unknown {
  if (isLosslessNumber(value)) {
    const number = Number(value.value);
    if (keepsValue(value.value, number)) return number;
    throw invalid(
      `Input '${name}' has a number that cannot be kept with all its digits`,
      "Declare the input as a string, or put the number in quotes.",
    );
  }
  if (Array.isArray(value)) return value.map((item) => toNumbers(name, item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toNumbers(name, item)]));
}

function invalid(message: string, hint?: string, details?: ErrorDetails["INPUT_INVALID"]): AutokestraError {
  return new AutokestraError("INPUT_INVALID", message, { hint, details });
}
