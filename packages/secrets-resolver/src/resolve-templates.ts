import { AutokestraError, parseTemplate, type Reference, type Template } from "@autokestra/secrets-core";
import { formatReference, quoteText } from "@autokestra/secrets-core/internal";

/** Inputs nested deeper than this are refused: no workflow needs it, and a cycle has no end. */
export const MAX_DEPTH = 100;

/** A value whose texts were taken apart: {@link parseTemplates} makes it, {@link resolveTemplates} puts values in. */
export type TemplateTree =
  | { readonly kind: "template"; readonly template: Template }
  | { readonly kind: "list"; readonly items: readonly TemplateTree[] }
  | { readonly kind: "object"; readonly entries: readonly (readonly [key: string, value: TemplateTree])[] }
  | { readonly kind: "value"; readonly value: unknown };

/** Gives the value of a reference. */
export type Lookup = (reference: Reference) => Promise<unknown>;

/**
 * Takes every text of a value apart into text and references, in nested objects and arrays too; keys stay as they are. What is
 * wrong inside a text is kept as a problem of its template.
 *
 * @throws AutokestraError `REFERENCE_INVALID` for more than {@link MAX_DEPTH} levels
 */
export function parseTemplates(value: unknown, depth = 0): TemplateTree {
  if (typeof value === "string") return { kind: "template", template: parseTemplate(value) };
  if (value === null || typeof value !== "object") return { kind: "value", value };
  if (depth === MAX_DEPTH) {
    throw new AutokestraError("REFERENCE_INVALID", `Inputs are nested more than ${MAX_DEPTH} levels deep`);
  }
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => parseTemplates(item, depth + 1)) };
  const entries = Object.entries(value).map(([key, item]) => [key, parseTemplates(item, depth + 1)] as const);
  return { kind: "object", entries };
}

/**
 * Replaces every reference by its value. The result of a lookup is never looked at again, so a secret that reads `{{ … }}` stays as
 * it is.
 *
 * @throws AutokestraError `REFERENCE_INVALID`, and what `lookup` throws
 */
export async function resolveTemplates(tree: TemplateTree, lookup: Lookup): Promise<unknown> {
  switch (tree.kind) {
    case "template":
      return await resolveTemplate(tree.template, lookup);
    case "list":
      return await Promise.all(tree.items.map(async (item) => await resolveTemplates(item, lookup)));
    case "object":
      return Object.fromEntries(
        await Promise.all(
          tree.entries.map(async ([key, item]) => [key, await resolveTemplates(item, lookup)] as const),
        ),
      );
    default:
      return tree.value;
  }
}

/** The reference that a template consists of, which keeps its type; null where there is more or something else. */
export function wholeReference({ parts, problems }: Template): Reference | null {
  const [only, ...others] = parts;
  return only?.kind === "reference" && others.length === 0 && problems.length === 0 ? only.reference : null;
}

async function resolveTemplate(template: Template, lookup: Lookup): Promise<unknown> {
  const [problem] = template.problems;
  if (problem !== undefined) throw new AutokestraError("REFERENCE_INVALID", problem.message);
  const whole = wholeReference(template);
  if (whole !== null) return await lookup(whole);
  const texts = template.parts.map(async (part) =>
    part.kind === "text" ? part.text : toText(part.reference, await lookup(part.reference)),
  );
  return (await Promise.all(texts)).join("");
}

/**
 * A value as it stands inside a longer text: objects and lists as JSON.
 *
 * @throws AutokestraError `REFERENCE_INVALID` for a secret with several fields and none named
 */
export function toText(reference: Reference, value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object") return String(value);
  if (reference.root === "secrets" && reference.field === null) {
    const fields = Object.keys(value).map(quoteText).join(", ");
    throw new AutokestraError(
      "REFERENCE_INVALID",
      `Secret '${reference.name}' has no single value (fields: ${fields})`,
      {
        hint: `Inside a text, name the field: {{ ${formatReference(reference)}.FIELD }}.`,
      },
    );
  }
  return JSON.stringify(value);
}
