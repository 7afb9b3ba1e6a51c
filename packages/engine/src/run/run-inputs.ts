import { AutokestraError, quoteText } from "@autokestra/secrets-core";
import { didYouMean } from "../workflow/did-you-mean.ts";
import type { InputDeclaration, Workflow } from "../workflow/workflow.ts";

/**
 * The inputs of a run: what was given, as the declared type, and defaults for the rest.
 *
 * @param given texts, as from a command line
 * @throws AutokestraError `INPUT_INVALID`
 */
export function readInputs(workflow: Workflow, given: Readonly<Record<string, string>>): Record<string, unknown> {
  const declared = Object.keys(workflow.inputs);
  const unknown = Object.keys(given).find((name) => !declared.includes(name));
  if (unknown !== undefined) {
    throw invalid(`The workflow has no input '${quoteText(unknown)}'`, didYouMean(unknown, declared));
  }
  return Object.fromEntries(
    Object.entries(workflow.inputs).map(([name, declaration]) => {
      const text = Object.hasOwn(given, name) ? given[name] : undefined;
      if (text !== undefined) return [name, convert(name, declaration, text)];
      if ("default" in declaration) return [name, checkDefault(name, declaration)];
      throw invalid(`Input '${name}' is missing`, `Give it with --input ${name}=VALUE, or give it a default.`);
    }),
  );
}

function convert(name: string, { type }: InputDeclaration, text: string): unknown {
  if (type === "string") return text;
  const value = parseJson(text);
  if (type === "json" ? value !== undefined : typeof value === type) return value;
  throw invalid(`Input '${name}' must be ${type === "json" ? "JSON" : `a ${type}`}`);
}

function checkDefault(name: string, { type, default: value }: InputDeclaration): unknown {
  if (type === "json" || typeof value === type) return value;
  throw invalid(`The default of input '${name}' must be a ${type}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(message: string, hint?: string): AutokestraError {
  return new AutokestraError("INPUT_INVALID", message, { hint });
}
