import { AutokestraError, formatReference, parseTemplate, quoteText, type Reference } from "@autokestra/secrets-core";

/** Inputs nested deeper than this are refused: no workflow needs it, and a cycle has no end. */
export const MAX_DEPTH = 100;

/** Gives the value of a reference. */
export type Lookup = (reference: Reference) => unknown;

/**
 * Replaces every reference in a value, in nested objects and arrays too; keys stay as they are. The result of a lookup is
 * never looked at again, so a secret that reads `{{ … }}` stays as it is.
 *
 * @throws AutokestraError `REFERENCE_INVALID`, and what `lookup` throws
 */
export function resolveTemplates(value: unknown, lookup: Lookup, depth = 0): unknown {
  if (typeof value === "string") return resolveString(value, lookup);
  if (value === null || typeof value !== "object") return value;
  if (depth === MAX_DEPTH) {
    throw new AutokestraError("REFERENCE_INVALID", `Inputs are nested more than ${MAX_DEPTH} levels deep`);
  }
  if (Array.isArray(value)) return value.map((item) => resolveTemplates(item, lookup, depth + 1));
  const entries = Object.entries(value).map(([key, item]) => [key, resolveTemplates(item, lookup, depth + 1)]);
  return Object.fromEntries(entries);
}

/** A reference that is the whole string keeps its type; inside a longer text it is put in as text. */
function resolveString(source: string, lookup: Lookup): unknown {
  const { parts, problems } = parseTemplate(source);
  const [problem] = problems;
  if (problem !== undefined) throw new AutokestraError("REFERENCE_INVALID", problem.message);
  const [first] = parts;
  if (parts.length === 1 && first?.kind === "reference") return lookup(first.reference);
  return parts
    .map((part) => (part.kind === "text" ? part.text : toText(part.reference, lookup(part.reference))))
    .join("");
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
