import {
  AutokestraError,
  type Filter,
  parseTemplate,
  type Reference,
  type ReferenceWithOptions,
  type Template,
} from "@autokestra/secrets-core";
import { formatReference, quoteText } from "@autokestra/secrets-core/internal";

/** The maximum depth of nested inputs. It also stops at cycles. */
export const MAX_DEPTH = 100;

/**
 * How large the values of all references of one call may be together, in characters. A value that a workflow doubles in
 * each of 40 steps takes no memory until it is written out.
 */
const MAX_SIZE = 64 * 1024 * 1024;
/** What a list or an object counts, and anything else that is no text: about what it takes in memory. */
const OBJECT_SIZE = 64;
const VALUE_SIZE = 8;

/** A value whose texts are parsed templates. {@link parseTemplates} makes it, {@link resolveTemplates} resolves it. */
export type TemplateTree =
  | { readonly kind: "template"; readonly template: Template }
  | { readonly kind: "list"; readonly items: readonly TemplateTree[] }
  | { readonly kind: "object"; readonly entries: readonly (readonly [key: string, value: TemplateTree])[] }
  | { readonly kind: "value"; readonly value: unknown };

/**
 * Returns the value of a reference.
 *
 * @param isOptional whether a key that is not there is null instead of an error, because `??` follows the reference
 */
export type Lookup = (reference: Reference, isOptional: boolean) => Promise<unknown>;

/** Called with a text that filters have made of a value. If the value is secret, so is this text. */
export type OnFiltered = (reference: Reference, text: string, value: unknown) => void;

/**
 * Parses all texts of a value as templates, also in nested objects and arrays, but not keys. A problem in a text is
 * kept in its template. Parse the inputs of a task once, and resolve them with {@link resolveTemplates} when they are
 * needed.
 *
 * @throws AutokestraError `REFERENCE_INVALID` for more than 100 levels
 *
 * @example
 * ```ts
 * import { parseTemplates, resolveTemplates } from "@autokestra/secrets-resolver";
 *
 * const tree = parseTemplates({ url: "https://{{ inputs.HOST }}/", retries: 3 });
 * const resolved = await resolveTemplates(tree, async ({ root }) => (root === "inputs" ? "api.example" : null));
 * console.log(resolved); // prints { url: 'https://api.example/', retries: 3 }
 * ```
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
 * Replaces all references by their values. A text that consists of one reference becomes the value itself, with its
 * type; inside a longer text, the value becomes text. A value is not parsed again, so `{{ … }}` in a secret stays as it
 * is.
 *
 * @param lookup returns the value of a reference
 * @param onFiltered called with every text that a filter has made. Default: not called
 * @throws AutokestraError `REFERENCE_INVALID`, also for values of more than 64 MiB, and what `lookup` throws
 */
export async function resolveTemplates(
  tree: TemplateTree,
  lookup: Lookup,
  onFiltered: OnFiltered = () => undefined,
): Promise<unknown> {
  let room = MAX_SIZE;
  const find: Lookup = async (reference, isOptional) => {
    const value = await lookup(reference, isOptional);
    room -= sizeOf(value, room);
    if (room >= 0) return value;
    throw new AutokestraError(
      "REFERENCE_INVALID",
      `'${formatReference(reference)}' makes the values larger than ${MAX_SIZE / 1024 / 1024} MiB`,
    );
  };
  return await resolveTree(tree, find, onFiltered);
}

/** Stops counting where a value is larger than the limit. */
function sizeOf(value: unknown, limit: number): number {
  const open = [value];
  let size = 0;
  while (open.length > 0 && size <= limit) {
    const one = open.pop();
    if (typeof one === "string") size += one.length;
    else if (typeof one !== "object" || one === null) size += VALUE_SIZE;
    else if (ArrayBuffer.isView(one)) size += one.byteLength;
    else {
      size += OBJECT_SIZE;
      for (const item of Object.values(one)) open.push(item);
    }
  }
  return size;
}

async function resolveTree(tree: TemplateTree, lookup: Lookup, onFiltered: OnFiltered): Promise<unknown> {
  switch (tree.kind) {
    case "template":
      return await resolveTemplate(tree.template, lookup, onFiltered);
    case "list": {
      // One after the other: thousands of open promises at once cost several times as much.
      const items: unknown[] = [];
      for (const item of tree.items) items.push(await resolveTree(item, lookup, onFiltered));
      return items;
    }
    case "object": {
      const entries: [key: string, value: unknown][] = [];
      for (const [key, item] of tree.entries) entries.push([key, await resolveTree(item, lookup, onFiltered)]);
      return Object.fromEntries(entries);
    }
    default:
      return tree.value;
  }
}

/** True if a text of a tree has a reference, also a malformed one. */
export function hasReference(tree: TemplateTree): boolean {
  switch (tree.kind) {
    case "template":
      return tree.template.problems.length > 0 || tree.template.parts.some(({ kind }) => kind === "reference");
    case "list":
      return tree.items.some(hasReference);
    case "object":
      return tree.entries.some(([, value]) => hasReference(value));
    default:
      return false;
  }
}

/** Returns the reference if a template consists only of one; null otherwise. */
export function wholeReference({ parts, problems }: Template): Reference | null {
  const [only, ...others] = parts;
  return only?.kind === "reference" && others.length === 0 && problems.length === 0 ? only.reference : null;
}

async function resolveTemplate(template: Template, lookup: Lookup, onFiltered: OnFiltered): Promise<unknown> {
  const [problem] = template.problems;
  if (problem !== undefined) throw new AutokestraError("REFERENCE_INVALID", problem.message);
  const [first] = template.parts;
  if (first?.kind === "reference" && template.parts.length === 1) {
    return await resolveReference(first, lookup, onFiltered);
  }
  let text = "";
  for (const part of template.parts) {
    text += part.kind === "text" ? part.text : toText(part.reference, await resolveReference(part, lookup, onFiltered));
  }
  return text;
}

async function resolveReference(
  { reference, fallback, filters }: ReferenceWithOptions,
  lookup: Lookup,
  onFiltered: OnFiltered,
): Promise<unknown> {
  const found = await lookup(reference, fallback !== null);
  const value = fallback === null ? found : (found ?? fallback.value);
  let filtered = value;
  for (const filter of filters) filtered = applyFilter(filter, reference, filtered);
  if (filters.length > 0) onFiltered(reference, String(filtered), value);
  return filtered;
}

function applyFilter(filter: Filter, reference: Reference, value: unknown): string {
  switch (filter) {
    case "base64":
      return Buffer.from(toText(reference, value)).toString("base64");
    case "json":
      return JSON.stringify(value) ?? "null";
    case "urlencode":
      // By way of bytes, because encodeURIComponent throws on lone surrogates.
      return encodeURIComponent(Buffer.from(toText(reference, value)).toString());
    default:
      return toText(reference, value).trim();
  }
}

/**
 * Converts a value for the inside of a longer text: objects and lists become JSON.
 *
 * @throws AutokestraError `REFERENCE_INVALID` for a secret with several fields if the reference names none
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
